// moescope trace: what the taps see for one input, as safetensors.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "moescope/cli/command.h"
#include "moescope/cli/model_options.h"
#include "moescope/record/model_trace.h"

namespace moescope::cli {
namespace {

class TraceCommand : public Command {
 public:
  TraceCommand() { model_.machine.dtype = "float32"; }  // as references are

  void describe(OptionList& list) override {
    model_.describe(list);
    input_.describe(list, "text", "input as text");
    list.add("out", out_, "safetensors file to write", {.required = true});
    list.add("what", what_, "parts to write; without: all", {.words = record::trace_parts()});
    list.add("json", json_, "print names and ids as JSON");
  }

  void run(const Session&) override {
    input_.require();
    const engine::OpenedModel model = model_.open();
    const std::vector<std::int64_t> ids = input_.token_ids(model);
    const std::vector<std::string> names =
        record::write_model_trace(model.language_model(), ids, {what_.begin(), what_.end()}, out_);
    if (json_) {
      fmt::print("{}\n", nlohmann::json{{"out", out_.string()}, {"token_ids", ids}, {"tensors", names}}.dump(2));
    } else {
      fmt::print("{}: {} tensors for {} tokens\n", out_.string(), names.size(), ids.size());
    }
  }

 private:
  ModelOptions model_;
  InputOptions input_;
  std::filesystem::path out_;
  std::vector<std::string> what_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kTrace = {
    "trace", "all that the taps see for one input, as safetensors",
    "Example: moescope trace models/tiny-olmoe --text 'The cat' --what router,logits --out t.safetensors",
    make<TraceCommand>};

}  // namespace moescope::cli
