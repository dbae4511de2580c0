// The embedded explainer: from a run directory to a scored label for every expert, without a model.
//
// Steps: split the traced documents, describe every traced token by predicates, learn one rule an expert on the explain
// part, prune it on the validation part, score it and its controls on the test part, and say it in English. Writes
// labels.jsonl and label_summary.json as docs/run-directory.md describes. Results depend on the seed, not on threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/options.h"
#include "moescope/base/progress.h"
#include "moescope/label/predicates/features.h"
#include "moescope/label/rules/search.h"
#include "moescope/label/scoring/score.h"
#include "moescope/label/sentences/promoted.h"
#include "moescope/label/traced_run.h"
#include "moescope/run/run_directory.h"
#include "moescope/stats/interval.h"
#include "moescope/text/concepts.h"

namespace moescope::label {

struct LabelOptions {
  std::uint64_t seed = 1;
  bool any_routing = false;  // target: every token that reaches the expert
  std::int64_t n_resamples = 1000;
  std::int64_t min_explain_positive = 20;  // fewer: too_few
  std::int64_t min_test_positive = 5;
  int n_threads = 0;           // 0: all processors
  run::Invocation invocation;  // for label_summary.json
  bool last_step = true;       // false: another step follows at once and writes DONE
  SplitOptions split;
  PredicateOptions predicates;
  TokenGroupOptions groups;
  SearchOptions search;

  void describe(OptionList& list);
  void describe_rules(OptionList& list);  // all but seed and threads, which `analyze` has already
};

enum class LabelStatus { kOk, kTooFew, kNoRule, kNever };
const char* status_name(LabelStatus status);

// A control and how the rule stands to it. Empty members: does not exist.
struct Control {
  std::optional<Score> score;
  std::optional<ScoreDifference> difference;
};

struct ExpertLabel {
  int layer = 0, expert = 0;
  bool is_shared = false;  // the shared expert of its layer, behind the routed ones
  LabelStatus status = LabelStatus::kOk;
  std::string label, short_label, rule_text;
  std::optional<Rule> rule;
  std::int64_t n_routed = 0;                    // traced tokens that reach the expert
  std::int64_t n_positive = 0, n_left_out = 0;  // traced tokens of all parts
  std::int64_t n_explain_positive = 0, n_test_positive = 0;
  std::optional<double> base_rate;       // positive share of the judged test rows
  std::optional<double> left_out_share;  // left-out test rows that the rule names
  std::optional<Score> rule_score;
  Control pieces, random_expert, always;
  std::vector<std::int32_t> piece_ids;  // of the control of single pieces
  std::optional<int> random_expert_idx;
  Promoted promoted;
  std::vector<std::int64_t> evidence_rows;

  bool scored() const { return status == LabelStatus::kOk || status == LabelStatus::kNoRule; }
};

struct Labels {
  std::vector<ExpertLabel> experts;   // by layer, then expert
  std::vector<Predicate> predicates;  // what the literals of all rules point to
  TokenSplit split;                   // without token_of_row and test_unit
  std::array<std::int64_t, 3> n_tokens = {0, 0, 0};
  PredicateCounts predicate_counts;
  std::int64_t n_resamples = 0;
  double seconds = 0;
};

// `concepts` may be null (no concept predicates). Throws kInterrupted if a signal arrives; nothing was written then.
Labels label_experts(const TracedRun& run, const LabelOptions& options, const text::ConceptLibrary* concepts,
                     const Console& console);

// The two files, each written to a temporary name and renamed.
void write_labels(const std::filesystem::path& run_directory, const Labels& labels, const TracedRun& run,
                  const LabelOptions& options);

// What the command line prints.
struct LabelTotals {
  std::int64_t n_experts = 0, n_labelled = 0, n_no_rule = 0, n_too_few = 0, n_never = 0;
  std::optional<stats::Estimate> beats_both, beats_pieces, beats_random;    // shares of the experts that were scored
  std::optional<stats::Estimate> f1_rule, f1_pieces, f1_random, f1_always;  // means over experts with a rule
};
// Which labels are summed up: those of routed experts, or those of shared experts, whose base rates are others.
struct LabelChoice {
  int layer_idx = -1;  // all layers
  bool shared = false;
};
LabelTotals summarize(const Labels& labels, const LabelChoice& choice, const LabelOptions& options);

}  // namespace moescope::label
