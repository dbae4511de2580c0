// moescope analyze: record, label and report.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "moescope/cli/command.h"
#include "moescope/cli/concept_options.h"
#include "moescope/cli/model_options.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/label/labeler.h"
#include "moescope/record/record.h"
#include "moescope/report/run/report.h"

namespace moescope::cli {
namespace {

std::string share_text(const std::optional<stats::Estimate>& share) {
  if (!share) return "unknown";
  return fmt::format("{:.1f}% [{:.1f}, {:.1f}]", 100 * share->value, 100 * share->interval.low,
                     100 * share->interval.high);
}

std::string mean_text(const std::optional<stats::Estimate>& mean) {
  return mean ? fmt::format("{:.2f}", mean->value) : "-";
}

// One line a layer: how many experts have a label, how good, how many beat both controls.
void print_table(const label::Labels& labels, const label::TracedRun& run, const label::LabelOptions& options) {
  fmt::print("{:>5}  {:>10}  {:>8}  {:>8}  {:>13}  {}\n", "layer", "labelled", "mean F1", "tokens", "random expert",
             "beat both controls");
  for (int layer_idx = -1; layer_idx < run.n_layers; ++layer_idx) {
    const label::LabelTotals layer = label::summarize(labels, {layer_idx, false}, options);
    fmt::print("{:>5}  {:>10}  {:>8}  {:>8}  {:>13}  {}\n", layer_idx < 0 ? "all" : std::to_string(layer_idx),
               fmt::format("{}/{}", layer.n_labelled, layer.n_experts), mean_text(layer.f1_rule),
               mean_text(layer.f1_pieces), mean_text(layer.f1_random), share_text(layer.beats_both));
  }
}

class AnalyzeCommand : public Command {
 public:
  void describe(OptionList& list) override {
    model_.describe(list);
    record_.describe(list);
    label_.describe_rules(list);
    concepts_.describe(list);
    list.group("");
    list.add("json", json_, "print run.json, the label summary and the report's path as JSON");
  }

  void run(const Session& session) override {
    record_.invocation = label_.invocation = session.invocation;
    record_.last_step = label_.last_step = false;  // the report is
    const record::RecordSummary recorded = record::record(model_.open(), record_, session.console);
    const label::TracedRun run = label::read_traced_run(record_.out);
    label_.seed = record_.seed;
    label_.split.seed = record_.seed;
    label_.n_threads = model_.machine.n_threads;
    const std::optional<text::ConceptLibrary> concepts = concepts_.load();
    const label::Labels labels = label::label_experts(run, label_, concepts ? &*concepts : nullptr, session.console);
    label::write_labels(record_.out, labels, run, label_);
    report::ReportOptions report_options;
    report_options.run_dir = record_.out;
    const report::ReportResult report = report::write_report(report_options, session.console);
    if (json_) {
      const nlohmann::json summary = {{"run", recorded.run},
                                      {"labels", io::read_json(record_.out / "label_summary.json")},
                                      {"report", report.path.string()}};
      std::fputs((summary.dump(2) + "\n").c_str(), stdout);
      return;
    }
    std::fputs(record::describe(recorded).c_str(), stdout);
    print_table(labels, run, label_);
    fmt::print("report: {}\n", report.path.string());
  }

 private:
  ModelOptions model_;
  record::RecordOptions record_;
  label::LabelOptions label_;
  ConceptOptions concepts_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kAnalyze = {
    "analyze", "record, label and report in one go: what every expert does",
    "Example: moescope analyze models/tiny-olmoe corpus.jsonl.zst --out runs/tiny\nRecords, labels and reports; a "
    "stopped run goes on with the same command.",
    make<AnalyzeCommand>};

}  // namespace moescope::cli
