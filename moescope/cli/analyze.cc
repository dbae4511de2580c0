#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "moescope/cli/command.h"
#include "moescope/cli/record_flags.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/label/labeler.h"
#include "moescope/record/record.h"
#include "moescope/report/run/report.h"

namespace moescope::cli {

namespace {

struct AnalyzeFlags : RecordFlags {
  label::LabelOptions label;
  bool no_concepts = false;
  bool json = false;
};

std::string share_text(const std::optional<stats::Estimate>& share) {
  if (!share) return "unknown";
  return fmt::format("{:.1f}% [{:.1f}, {:.1f}]", 100 * share->value, 100 * share->interval.low,
                     100 * share->interval.high);
}

std::string mean_text(const std::optional<stats::Estimate>& mean) {
  return mean ? fmt::format("{:.2f}", mean->value) : "-";
}

// One line a layer: how many experts have a label, how good, how many beat both controls.
void print_table(const label::Labels& labels, const label::RunData& run, const label::LabelOptions& options) {
  fmt::print("{:>5}  {:>10}  {:>8}  {:>8}  {:>13}  {}\n", "layer", "labelled", "mean F1", "tokens", "random expert",
             "beat both controls");
  for (int layer_idx = -1; layer_idx < run.n_layers; ++layer_idx) {
    const label::LabelSummary layer = label::summarise(labels, {layer_idx, false}, options);
    fmt::print("{:>5}  {:>10}  {:>8}  {:>8}  {:>13}  {}\n", layer_idx < 0 ? "all" : std::to_string(layer_idx),
               fmt::format("{}/{}", layer.n_labelled, layer.n_experts), mean_text(layer.f1_rule),
               mean_text(layer.f1_pieces), mean_text(layer.f1_random), share_text(layer.beats_both));
  }
}

void run_analyze(CLI::App& command, AnalyzeFlags& flags, const Session& session) {
  record::RecordOptions options = finish(command, flags);
  options.invocation = session.invocation;
  options.last_step = flags.label.last_step = false;  // the report is
  const record::RecordSummary recorded = record::record(options, session.console);
  const label::RunData run = label::read_run_data(options.out);
  flags.label.seed = options.seed;
  flags.label.invocation = session.invocation;
  flags.label.split.seed = options.seed;
  flags.label.n_threads = options.n_threads;
  std::optional<text::ConceptLibrary> concepts;
  if (!flags.no_concepts) concepts = text::ConceptLibrary::built_in();
  const label::Labels labels = label::label_experts(run, flags.label, concepts ? &*concepts : nullptr, session.console);
  label::write_labels(options.out, labels, run, flags.label);
  report::ReportOptions report_options;
  report_options.run_dir = options.out;
  const report::ReportResult report = report::write_report(report_options, session.console);
  if (flags.json) {
    const nlohmann::json summary = {{"run", recorded.run},
                                    {"labels", io::read_json(options.out / "label_summary.json")},
                                    {"report", report.path.string()}};
    std::fputs((summary.dump(2) + "\n").c_str(), stdout);
    return;
  }
  std::fputs(record::describe(recorded).c_str(), stdout);
  print_table(labels, run, flags.label);
  fmt::print("report: {}\n", report.path.string());
}

}  // namespace

void add_analyze(CLI::App& command, const Session& session) {
  const auto flags = std::make_shared<AnalyzeFlags>();
  add_record_flags(command, *flags);
  const char* labels = "Labels";
  command.add_flag("--any-routing", flags->label.any_routing, "target: every token that reaches the expert")
      ->group(labels);
  command.add_flag("--no-concepts", flags->no_concepts, "learn without the concept library")->group(labels);
  command.add_option("--resamples", flags->label.n_resamples, "resamples of the test documents for intervals")
      ->capture_default_str()
      ->check(CLI::Range(100, 100000))
      ->group(labels);
  command.add_flag("--json", flags->json, "print run.json, the label summary and the report's path as JSON");
  command.footer(
      "Example: moescope analyze models/tiny-olmoe corpus.jsonl.zst --out runs/tiny\nRecords, labels and "
      "reports; a stopped run goes on with the same command.");
  command.callback([flags, &command, &session] { run_analyze(command, *flags, session); });
}

}  // namespace moescope::cli
