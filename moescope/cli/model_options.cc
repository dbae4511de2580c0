#include "moescope/cli/model_options.h"

#include "moescope/base/error.h"
#include "moescope/machine/threads.h"

namespace moescope::cli {

void ModelOptions::describe(OptionList& list) {
  choice.describe(list);
  machine.describe(list);
  list.group("");
}

engine::OpenedModel ModelOptions::open() const {
  machine::set_process_threads(machine.n_threads);
  return engine::OpenedModel::open(choice, machine);
}

void InputOptions::describe(OptionList& list, const char* text_name, const char* text_help) {
  text_name_ = text_name;
  list.add(text_name, text, text_help, {.excludes = "ids"});
  list.add("ids", ids, "token ids instead: 1,2,3");
}

void InputOptions::require() const {
  if (text.empty() && ids.empty())
    throw usage_error("give either {} or {}", option_name(text_name_), option_name("ids"));
}

std::vector<std::int64_t> InputOptions::token_ids(const engine::OpenedModel& model) const {
  if (!ids.empty()) return ids;
  try {
    const std::vector<std::int32_t> encoded = model.tokenizer().encode(text).ids;
    return {encoded.begin(), encoded.end()};
  } catch (const Error& error) {
    throw error.hint("or give token ids with " + option_name("ids"));
  }
}

}  // namespace moescope::cli
