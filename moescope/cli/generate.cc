// moescope generate: text from a model.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/cli/model_flags.h"
#include "moescope/model/generation.h"

namespace moescope::cli {
namespace {

struct GenerateFlags {
  ModelFlags model;
  std::string prompt, ids;
  model::GenerationOptions options;
  bool json = false;
};

void run(const GenerateFlags& flags, const Session& session) {
  if (flags.prompt.empty() == flags.ids.empty()) throw usage_error("give either --prompt or --ids");
  const engine::OpenedModel model = open_model(flags.model);
  const bool as_text = !flags.prompt.empty();
  const std::vector<std::int64_t> prompt = input_ids(model, flags.prompt, flags.ids);
  const Progress progress(session.console, "generate", "tokens", flags.options.max_new_tokens);
  const model::Generation generation = model::generate(model.language_model(), prompt, flags.options);
  const std::vector<std::int32_t> new_ids(generation.ids.begin(), generation.ids.end());
  const std::string text = as_text ? model.tokenizer().decode(new_ids) : "";
  if (flags.json) {
    nlohmann::json json = {{"prompt_ids", prompt},
                           {"ids", generation.ids},
                           {"ended", generation.ended},
                           {"context_full", generation.context_full},
                           {"seconds", progress.seconds()}};
    if (as_text) json["text"] = text;
    fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (as_text) {
    fmt::print("{}{}\n", flags.prompt, text);
  } else {
    fmt::print("{}\n", fmt::join(generation.ids, ","));
  }
  if (generation.context_full) {
    session.console.line(fmt::format("stopped: the context of {} tokens is full", model.config().n_ctx));
  }
}

}  // namespace

void add_generate(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<GenerateFlags>();
  model::GenerationOptions& options = flags->options;
  flags->model.machine.dtype = "float32";
  add_model_flags(command, flags->model);
  command.add_option("--prompt", flags->prompt, "text to go on from");
  command.add_option("--ids", flags->ids, "token ids to go on from: 1,2,3");
  command.add_option("--max-new-tokens", options.max_new_tokens, "at most so many")->capture_default_str();
  command.add_option("--temperature", options.temperature, "0: always the most probable token")->capture_default_str();
  command.add_option("--top-p", options.top_p, "sample from the most probable tokens that reach this mass")
      ->capture_default_str();
  command.add_option("--seed", options.seed, "of the sampling")->capture_default_str();
  command.add_flag("--json", flags->json, "print ids and text as JSON");
  command.footer("Example: moescope generate models/tiny-olmoe --prompt 'def main():' --temperature 0.8 --top-p 0.95");
  command.callback([flags, &session] { run(*flags, session); });
}

}  // namespace moescope::cli
