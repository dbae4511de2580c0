// moescope label: a rule in words for every expert.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/cli/concept_options.h"
#include "moescope/io/file.h"
#include "moescope/label/labeler.h"

namespace moescope::cli {
namespace {

std::string share(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return "unknown (no test interval)";
  return fmt::format("{:.1f}% [{:.1f}, {:.1f}] of {}", 100 * estimate->value, 100 * estimate->interval.low,
                     100 * estimate->interval.high, estimate->n);
}

std::string mean(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return "-";
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", estimate->value, estimate->interval.low, estimate->interval.high);
}

void print_summary(const label::Labels& labels, const label::TracedRun& run, const label::LabelOptions& options) {
  const label::LabelTotals all = label::summarize(labels, {}, options);
  fmt::print("{} of {} experts have a rule ({} none found, {} too few tokens, {} never reached)\n", all.n_labelled,
             all.n_experts, all.n_no_rule, all.n_too_few, all.n_never);
  fmt::print("beat both controls: {}\n", share(all.beats_both));
  fmt::print("  their most frequent tokens: {}\n  the rule of a random other expert: {}\n", share(all.beats_pieces),
             share(all.beats_random));
  fmt::print("mean F1 on test {}s: rule {}, most frequent tokens {}, random expert {}, always yes {}\n",
             labels.split.unit, mean(all.f1_rule), mean(all.f1_pieces), mean(all.f1_random), mean(all.f1_always));
  if (const label::LabelTotals shared = label::summarize(labels, {-1, true}, options); shared.n_experts > 0) {
    fmt::print("shared experts: {} of {} have a rule, beat both {}, mean F1: rule {}, always yes {}\n",
               shared.n_labelled, shared.n_experts, share(shared.beats_both), mean(shared.f1_rule),
               mean(shared.f1_always));
  }
  for (int layer_idx = 0; layer_idx < run.n_layers; ++layer_idx) {
    const label::LabelTotals layer = label::summarize(labels, {layer_idx, false}, options);
    fmt::print("layer {:>2}: beat both {}, mean F1 {}\n", layer_idx, share(layer.beats_both), mean(layer.f1_rule));
  }
}

class LabelCommand : public Command {
 public:
  void describe(OptionList& list) override {
    list.add("run", run_directory_, "run directory that `record` wrote", {.positional = true});
    options_.describe(list);
    concepts_.describe(list);
    list.group("");
    list.add("print-concepts", print_concepts_, "print the built-in concept file and end");
    list.add("json", json_, "print label_summary.json instead of the table");
  }

  void run(const Session& session) override {
    if (print_concepts_) {
      fmt::print("{}\n", text::built_in_concepts_json());
      return;
    }
    if (run_directory_.empty()) throw usage_error("label needs a run directory").hint("moescope label RUN");
    options_.split.seed = options_.seed;
    options_.invocation = session.invocation;
    const std::optional<text::ConceptLibrary> concepts = concepts_.load();
    const label::TracedRun run = label::read_traced_run(run_directory_);
    const label::Labels labels = label::label_experts(run, options_, concepts ? &*concepts : nullptr, session.console);
    label::write_labels(run_directory_, labels, run, options_);
    if (json_) {
      fmt::print("{}", io::read_file(run_directory_ / "label_summary.json"));
    } else {
      print_summary(labels, run, options_);
    }
  }

 private:
  std::filesystem::path run_directory_;
  label::LabelOptions options_;
  ConceptOptions concepts_;
  bool print_concepts_ = false;
  bool json_ = false;
};

}  // namespace

const CommandEntry kLabel = {
    "label", "a scored rule in words for every expert of a recorded run",
    "Example: moescope label runs/olmoe --seed 7\nWrites labels.jsonl and label_summary.json there.",
    make<LabelCommand>};

}  // namespace moescope::cli
