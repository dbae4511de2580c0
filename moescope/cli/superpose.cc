// moescope superpose: how much a trained model's experts hold in superposition, beside null models.
#include "moescope/analysis/superpose/superpose.h"

#include <cstdio>
#include <memory>

#include "moescope/base/byte_size.h"
#include "moescope/cli/command.h"
#include "moescope/cli/settings_file.h"
#include "moescope/report/superpose/figures.h"

namespace moescope::cli {
namespace {

struct SuperposeFlags {
  analysis::superpose::SuperposeOptions options;
  std::string memory;
  std::string settings;
  bool no_figures = false;
  bool json = false;
};

void run(CLI::App& command, SuperposeFlags& flags, const Session& session) {
  apply_settings_file(command, flags.settings);
  analysis::superpose::SuperposeOptions& options = flags.options;
  if (!flags.memory.empty()) options.memory_bytes = parse_bytes(flags.memory);
  options.invocation = session.invocation;
  options.last_step = flags.no_figures;
  const analysis::superpose::SuperposeResult result = analysis::superpose::superpose(options, session.console);
  if (!flags.no_figures) report::draw_superpose_figures(options.out);
  if (flags.json) {
    std::fputs((result.run.dump(2) + "\n").c_str(), stdout);
    return;
  }
  std::fputs(analysis::superpose::describe(result).c_str(), stdout);
}

}  // namespace

void add_superpose(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<SuperposeFlags>();
  analysis::superpose::SuperposeOptions& options = flags->options;
  command.add_option("model", options.model, "folder of a model, or org/name in the Hugging Face cache")->required();
  command.add_option("corpus", options.corpus,
                     "documents: file, folder or `system`; tells how experts are used and gives token features");
  command.add_option("--out", options.out, "folder for tables and figures")->required();
  command.add_option("--run", options.run, "run directory of `record`: the use of experts, without a pass");
  command.add_option("--probes", options.probes, "run directory of `probe`: concepts as features");
  command.add_option("--tokens", options.n_tokens, "of the corpus (0: all)")->capture_default_str();
  command.add_option("--context", options.context, "tokens the model sees together")->capture_default_str();
  command
      .add_option("--features", options.n_features,
                  "token features: the most frequent tokens of the corpus, random ones without a corpus")
      ->capture_default_str();
  command
      .add_option("--least-tokens", options.least_tokens,
                  "fewer tokens of a class in an expert: no direction from text")
      ->capture_default_str();
  command.add_option("--draws", options.n_draws, "of each null model")->capture_default_str();
  command.add_option("--resamples", options.n_resamples, "resamples of the experts for intervals")
      ->capture_default_str()
      ->check(CLI::Range(100, 100000));
  command.add_option("--seed", options.seed, "seed of samples and null models")->capture_default_str();
  command.add_option("--device", options.device, "cpu or cuda[:i]")->capture_default_str();
  command.add_option("--dtype", options.dtype, "of the pass: auto, float32 or bfloat16")->capture_default_str();
  command.add_option("--memory", flags->memory, "memory budget, such as 8G (default: half of what is free)");
  command.add_option("--threads", options.n_threads, "0: all processors")->capture_default_str();
  command.add_option("--settings", flags->settings, "TOML file with these flags");
  command.add_flag("--no-figures", flags->no_figures, "tables only; needs no gnuplot");
  command.add_flag("--json", flags->json, "print run.json");
  command.footer("Example: moescope superpose models/tiny-olmoe corpus.jsonl.zst --out runs/superposition");
  command.callback([flags, &command, session] { run(command, *flags, session); });
}

}  // namespace moescope::cli
