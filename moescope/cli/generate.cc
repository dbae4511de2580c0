// moescope generate: text from a model.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "moescope/cli/command.h"
#include "moescope/cli/model_options.h"
#include "moescope/model/generation.h"

namespace moescope::cli {
namespace {

class GenerateCommand : public Command {
 public:
  GenerateCommand() { model_.machine.dtype = "float32"; }

  void describe(OptionList& list) override {
    model_.describe(list);
    input_.describe(list, "prompt", "text to go on from");
    options_.describe(list);
    list.add("json", json_, "print ids and text as JSON");
  }

  void run(const Session& session) override {
    input_.require();
    const engine::OpenedModel model = model_.open();
    const bool as_text = !input_.text.empty();
    const std::vector<std::int64_t> prompt = input_.token_ids(model);
    const Progress progress(session.console, "generate", "tokens", options_.max_new_tokens);
    const model::Generation generation = model::generate(model.language_model(), prompt, options_);
    const std::vector<std::int32_t> new_ids(generation.ids.begin(), generation.ids.end());
    const std::string text = as_text ? model.tokenizer().decode(new_ids) : "";
    if (json_) {
      nlohmann::json json = {{"prompt_ids", prompt},
                             {"ids", generation.ids},
                             {"ended", generation.ended},
                             {"context_full", generation.context_full},
                             {"seconds", progress.seconds()}};
      if (as_text) json["text"] = text;
      fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else if (as_text) {
      fmt::print("{}{}\n", input_.text, text);
    } else {
      fmt::print("{}\n", fmt::join(generation.ids, ","));
    }
    if (generation.context_full) {
      session.console.line(fmt::format("stopped: the context of {} tokens is full", model.config().n_ctx));
    }
  }

 private:
  ModelOptions model_;
  InputOptions input_;
  model::GenerationOptions options_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kGenerate = {
    "generate", "text from a model",
    "Example: moescope generate models/tiny-olmoe --prompt 'def main():' --temperature 0.8 --top-p 0.95",
    make<GenerateCommand>};

}  // namespace moescope::cli
