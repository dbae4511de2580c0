// moescope trace: what the taps see for one input, as safetensors.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/cli/model_flags.h"
#include "moescope/record/model_trace.h"

namespace moescope::cli {
namespace {

struct TraceFlags {
  ModelFlags model;
  std::string text, ids, out;
  std::vector<std::string> what;
  bool json = false;
};

void run(const TraceFlags& flags) {
  if (flags.text.empty() == flags.ids.empty()) throw usage_error("give either --text or --ids");
  const engine::OpenedModel model = open_model(flags.model);
  const std::vector<std::int64_t> ids = input_ids(model, flags.text, flags.ids);
  const std::vector<std::string> names =
      record::write_model_trace(model.language_model(), ids, {flags.what.begin(), flags.what.end()}, flags.out);
  if (flags.json) {
    fmt::print("{}\n", nlohmann::json{{"out", flags.out}, {"token_ids", ids}, {"tensors", names}}.dump(2));
  } else {
    fmt::print("{}: {} tensors for {} tokens\n", flags.out, names.size(), ids.size());
  }
}

}  // namespace

void add_trace(CLI::App& command, const Session&) {
  auto flags = std::make_shared<TraceFlags>();
  flags->model.machine.dtype = "float32";  // as references are
  add_model_flags(command, flags->model);
  command.add_option("--text", flags->text, "input as text");
  command.add_option("--ids", flags->ids, "input as token ids: 1,2,3");
  command.add_option("--out", flags->out, "safetensors file to write")->required();
  command.add_option("--what", flags->what, "logits, router, neurons, outputs, residual; default: all")->delimiter(',');
  command.add_flag("--json", flags->json, "print names and ids as JSON");
  command.footer("Example: moescope trace models/tiny-olmoe --text 'The cat' --what router,logits --out t.safetensors");
  command.callback([flags] { run(*flags); });
}

}  // namespace moescope::cli
