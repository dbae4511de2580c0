// The files of `moescope label`, in the run directory of a recording: labels.jsonl, one line an expert by layer, then
// expert, and label_summary.json. A number that does not exist is null, and `status` says why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/record_files.h"

namespace moescope::run {

struct RuleLiteral {
  std::string predicate;
  bool negated = false;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("predicate", self.predicate, "its name, which begins with what it speaks of");
    field("negated", self.negated, "whether it must not hold");
  }
};

struct LabelRule {
  std::string text;
  std::vector<std::vector<RuleLiteral>> terms;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("text", self.text, "in words");
    field("terms", self.terms, "list of conjunctions, each a list of literals {`predicate`, `negated`}");
  }
};

struct LabelTarget {
  std::optional<std::int64_t> n_routed, n_positive, n_left_out, n_explain_positive, n_test_positive;
  std::optional<double> base_rate_frac, left_out_hit_frac;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("n_routed", self.n_routed, "traced tokens that reach the expert");
    field("n_positive", self.n_positive, "those among the strongest that carry half of its score");
    field("n_left_out", self.n_left_out,
          "the weaker ones; none of a shared expert: every token reaches it, so that its weaker tokens are the "
          "negatives");
    field("n_explain_positive", self.n_explain_positive, "positive tokens of the explain part");
    field("n_test_positive", self.n_test_positive, "positive tokens of the test part");
    field("base_rate_frac", self.base_rate_frac, "positive share of the judged test tokens");
    field("left_out_hit_frac", self.left_out_hit_frac, "share of the left-out test tokens that the rule names");
  }
};

struct LabelScore {
  std::optional<double> f1, precision, recall, lift;
  std::optional<std::int64_t> n, n_positive;
  std::optional<double> f1_low, f1_high;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("f1", self.f1, "on the test part");
    field("precision", self.precision, "share of the tokens it names that are positive");
    field("recall", self.recall, "share of the positive tokens that it names");
    field("lift", self.lift, "precision over the base rate");
    field("n", self.n, "test tokens judged: left-out ones are not");
    field("n_positive", self.n_positive, "of them positive");
    field("f1_low", self.f1_low, "95% interval from resampling test documents");
    field("f1_high", self.f1_high, "its other end");
  }
};

struct LabelScores {
  std::optional<LabelScore> rule, most_frequent_tokens, random_expert, always;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("rule", self.rule, "of the label's rule");
    field("most_frequent_tokens", self.most_frequent_tokens,
          "of the best disjunction of single pieces, as many as the rule has literals (at least 3), chosen greedily by "
          "F1 on "
          "the explain part");
    field("random_expert", self.random_expert, "of the rule of expert `random_expert_idx` of the same layer");
    field("always", self.always, "of saying yes always");
  }
};

struct LabelDifference {
  std::optional<double> mean, low, high;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("mean", self.mean, "F1 of the rule less F1 of the control on the test part");
    field("low", self.low, "paired 95% interval from resampling test documents");
    field("high", self.high, "its other end");
  }
};

struct LabelDifferences {
  std::optional<LabelDifference> most_frequent_tokens, random_expert, always;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("most_frequent_tokens", self.most_frequent_tokens, "against the most frequent tokens");
    field("random_expert", self.random_expert, "against another expert's rule");
    field("always", self.always, "against saying yes always");
  }
};

struct PromotedPiece {
  std::string piece;
  std::optional<double> lift;
  std::optional<std::int64_t> n;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("piece", self.piece, "text of the token");
    field("lift", self.lift, "over the layer");
    field("n", self.n, "how often it is promoted");
  }
};

struct LabelPromotes {
  std::vector<PromotedPiece> pieces;
  std::string text;
  std::optional<std::int64_t> n;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("pieces", self.pieces, "list of {`piece`, `lift` over the layer, `n`}");
    field("text", self.text, "\"promotes ...\", or \"\"");
    field("n", self.n, "promoted tokens counted");
  }
};

// A line of labels.jsonl.
struct LabelLine {
  ExpertId id;
  std::string status;
  std::optional<std::string> label, short_label;
  std::optional<LabelRule> rule;
  std::string explainer;
  std::optional<LabelTarget> target;
  std::optional<LabelScores> scores;
  std::vector<std::string> most_frequent_tokens;
  std::optional<std::int64_t> random_expert_idx;
  std::optional<LabelDifferences> difference;
  std::optional<bool> beats_most_frequent_tokens, beats_random_expert, beats_both;
  std::optional<LabelPromotes> promotes;
  std::vector<std::int64_t> evidence_rows;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    ExpertId::describe(self.id, field);
    field("status", self.status,
          "`ok` (a rule), `no_rule` (none beats saying yes always), `too_few` (under 20 positive tokens in the explain "
          "part "
          "or 5 in the test part), `never` (no traced token reaches it)");
    field("label", self.label, "English sentence");
    field("short_label", self.short_label, "at most 60 characters");
    field("rule", self.rule, "{`text`, `terms`}; null without one");
    field("explainer", self.explainer, "`embedded`");
    field("target", self.target, "which tokens the label is to tell: `target` below");
    field("scores", self.scores, "of `rule`, `most_frequent_tokens`, `random_expert`, `always`: each a score, below");
    field("most_frequent_tokens", self.most_frequent_tokens, "the pieces of that control", {.since = 2});
    field("random_expert_idx", self.random_expert_idx, "the routed expert of that control");
    field("difference", self.difference,
          "of F1 to `most_frequent_tokens`, `random_expert`, `always`: each {`mean`, `low`, `high`}, below");
    field("beats_most_frequent_tokens", self.beats_most_frequent_tokens,
          "whether `low` of the difference is above 0; false for `no_rule`, null where there is no interval or no "
          "control");
    field("beats_random_expert", self.beats_random_expert, "the same");
    field("beats_both", self.beats_both, "both of them");
    field("promotes", self.promotes, "what the expert writes: `promotes` below");
    field("evidence_rows", self.evidence_rows, "row numbers in evidence.safetensors", {.since = 2});
  }
};

// An estimate with its 95% interval.
struct EstimatePart {
  std::optional<double> value, low, high;
  std::int64_t n = 0;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("value", self.value, "the estimate");
    field("low", self.low, "95% interval");
    field("high", self.high, "its other end");
    field("n", self.n, "of how many");
  }
};

struct MeanF1Part {
  EstimatePart rule, most_frequent_tokens, random_expert, always;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("rule", self.rule, "of the rules");
    field("most_frequent_tokens", self.most_frequent_tokens, "of that control");
    field("random_expert", self.random_expert, "of that control");
    field("always", self.always, "of that control");
  }
};

// The labels of a model or of one layer, counted.
struct LabelCounts {
  std::int64_t n_experts = 0, n_labelled = 0, n_no_rule = 0, n_too_few = 0, n_never = 0;
  EstimatePart beats_both_frac, beats_most_frequent_tokens_frac, beats_random_expert_frac;
  MeanF1Part mean_f1;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("n_experts", self.n_experts, "experts with a line in labels.jsonl");
    field("n_labelled", self.n_labelled, "of status `ok`");
    field("n_no_rule", self.n_no_rule, "of status `no_rule`");
    field("n_too_few", self.n_too_few, "of status `too_few`");
    field("n_never", self.n_never, "of status `never`");
    field("beats_both_frac", self.beats_both_frac,
          "share of the experts that were scored, those without a rule counted as beating nothing: {`value`, `low`, "
          "`high` "
          "(Wilson), `n`}");
    field("beats_most_frequent_tokens_frac", self.beats_most_frequent_tokens_frac, "the same");
    field("beats_random_expert_frac", self.beats_random_expert_frac, "the same");
    field("mean_f1", self.mean_f1,
          "of `rule`, `most_frequent_tokens`, `random_expert`, `always`: each {`value`, `low`, `high` (resampling "
          "experts), "
          "`n`} over the experts with a rule");
  }
};

struct LayerLabelCounts {
  std::int64_t layer = 0;
  LabelCounts counts;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("layer", self.layer, "place of the layer");
    LabelCounts::describe(self.counts, field);
  }
};

struct SplitPart {
  std::int64_t units = 0, tokens = 0;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("units", self.units, "documents or contexts");
    field("tokens", self.tokens, "traced tokens in them");
  }
};

struct LabelSplit {
  std::string unit;
  std::uint64_t seed = 0;
  SplitPart n_explain, n_validation, n_test;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("unit", self.unit, "`document`, or `context` where fewer than 12 documents are traced");
    field("seed", self.seed, "of the split");
    field("n_explain", self.n_explain, "the part that rules are learnt on: {`units`, `tokens`}");
    field("n_validation", self.n_validation, "the part that prunes them");
    field("n_test", self.n_test, "the part that scores them");
  }
};

// label_summary.json
struct LabelSummary {
  LabelCounts all;
  std::vector<LayerLabelCounts> layers;
  std::optional<LabelCounts> shared;
  nlohmann::json settings;
  LabelSplit split;
  std::string tool_version;
  std::vector<std::string> command_line;
  std::optional<std::string> date;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    LabelCounts::describe(self.all, field);
    field("layers", self.layers, "list of the same by layer, with `layer`");
    field("shared", self.shared, "the same of the shared experts, where there are any; all others are of routed ones",
          {.leave_out = true});
    field("settings", self.settings, "every option after defaults, and what the search found");
    field("split", self.split, "{`unit`, `seed`, `n_explain`, `n_validation`, `n_test`}");
    field("tool_version", self.tool_version, "of moescope", {.since = 2});
    field("command_line", self.command_line, "the program's arguments", {.since = 2});
    field("date", self.date, "when the labels were begun, UTC", {.since = 2});
  }
};

void write_labels(const std::filesystem::path& folder, const std::vector<LabelLine>& lines,
                  const LabelSummary& summary);
// Checked against the model: places in range, no expert twice. Throws kInput naming file and line.
std::vector<LabelLine> read_labels(const std::filesystem::path& folder, const ModelPart& model);

}  // namespace moescope::run
