#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/io/file.h"
#include "moescope/label/labeler.h"

namespace moescope::cli {

namespace {

struct LabelFlags {
  std::string run_directory;
  std::string concepts;
  bool no_concepts = false;
  bool print_concepts = false;
  bool json = false;
  label::LabelOptions options;
};

std::string share(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return "unknown (no test interval)";
  return fmt::format("{:.1f}% [{:.1f}, {:.1f}] of {}", 100 * estimate->value, 100 * estimate->interval.low,
                     100 * estimate->interval.high, estimate->n);
}

std::string mean(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return "-";
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", estimate->value, estimate->interval.low, estimate->interval.high);
}

void print_summary(const label::Labels& labels, const label::RunData& run, const label::LabelOptions& options) {
  const label::LabelSummary all = label::summarise(labels, {}, options);
  fmt::print("{} of {} experts have a rule ({} none found, {} too few tokens, {} never reached)\n", all.n_labelled,
             all.n_experts, all.n_no_rule, all.n_too_few, all.n_never);
  fmt::print("beat both controls: {}\n", share(all.beats_both));
  fmt::print("  their most frequent tokens: {}\n  the rule of a random other expert: {}\n", share(all.beats_pieces),
             share(all.beats_random));
  fmt::print("mean F1 on test {}s: rule {}, most frequent tokens {}, random expert {}, always yes {}\n",
             labels.split.unit, mean(all.f1_rule), mean(all.f1_pieces), mean(all.f1_random), mean(all.f1_always));
  if (const label::LabelSummary shared = label::summarise(labels, {-1, true}, options); shared.n_experts > 0) {
    fmt::print("shared experts: {} of {} have a rule, beat both {}, mean F1: rule {}, always yes {}\n",
               shared.n_labelled, shared.n_experts, share(shared.beats_both), mean(shared.f1_rule),
               mean(shared.f1_always));
  }
  for (int layer_idx = 0; layer_idx < run.n_layers; ++layer_idx) {
    const label::LabelSummary layer = label::summarise(labels, {layer_idx, false}, options);
    fmt::print("layer {:>2}: beat both {}, mean F1 {}\n", layer_idx, share(layer.beats_both), mean(layer.f1_rule));
  }
}

void run_label(const LabelFlags& flags, const Session& session) {
  if (flags.print_concepts) {
    const std::string_view text = text::built_in_concepts_json();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fputc('\n', stdout);
    return;
  }
  if (flags.run_directory.empty()) throw usage_error("label needs a run directory").hint("moescope label RUN_DIR");
  std::optional<text::ConceptLibrary> concepts;
  if (!flags.concepts.empty()) {
    concepts = text::ConceptLibrary::load(flags.concepts);
  } else if (!flags.no_concepts) {
    concepts = text::ConceptLibrary::built_in();
  }
  const label::RunData run = label::read_run_data(flags.run_directory);
  const label::Labels labels =
      label::label_experts(run, flags.options, concepts ? &*concepts : nullptr, session.console);
  label::write_labels(flags.run_directory, labels, run, flags.options);
  if (flags.json) {
    const std::string summary = io::read_file(std::filesystem::path(flags.run_directory) / "label_summary.json");
    std::fwrite(summary.data(), 1, summary.size(), stdout);
  } else {
    print_summary(labels, run, flags.options);
  }
}

}  // namespace

void add_label(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<LabelFlags>();
  label::LabelOptions& options = flags->options;
  command.add_option("run", flags->run_directory, "Run directory that `record` wrote");
  command.add_option("--seed", options.seed, "Seed of the split, the resamples and the random other expert")
      ->capture_default_str();
  command.add_flag("--any-routing", options.any_routing,
                   "Target: every token that reaches the expert, not only those with half of its score");
  command.add_option("--concepts", flags->concepts, "Concept file instead of the built-in one");
  command.add_flag("--no-concepts", flags->no_concepts, "Learn without concepts")->excludes("--concepts");
  command.add_flag("--print-concepts", flags->print_concepts, "Print the built-in concept file and end");
  command.add_option("--max-terms", options.search.max_terms, "Terms of a rule, joined by or")
      ->capture_default_str()
      ->check(CLI::Range(1, 5));
  command.add_option("--max-literals", options.search.max_literals, "Literals of a term, joined by and")
      ->capture_default_str()
      ->check(CLI::Range(1, 5));
  command.add_option("--beam", options.search.beam, "Terms kept while searching")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command
      .add_option("--length-price", options.search.length_price,
                  "Share of what one more single piece would bring that a literal must bring at least")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--resamples", options.n_resamples, "Resamples of the test documents for intervals")
      ->capture_default_str()
      ->check(CLI::Range(100, 100000));
  command.add_option("--threads", options.n_threads, "Threads (0: all processors)")->check(CLI::NonNegativeNumber);
  command.add_flag("--json", flags->json, "Print label_summary.json instead of the table");
  command.footer("Example:\n  moescope label runs/olmoe --seed 7\nWrites labels.jsonl and label_summary.json there.");
  command.callback([flags, session] {
    flags->options.split.seed = flags->options.seed;
    flags->options.invocation = session.invocation;
    run_label(*flags, session);
  });
}

}  // namespace moescope::cli
