// labels.jsonl and label_summary.json. A number that does not exist is null; `status` says why.
#include "moescope/run/label_files.h"

#include <nlohmann/json.hpp>

#include "moescope/io/option_json.h"
#include "moescope/label/labeler.h"

namespace moescope::label {

namespace {

using nlohmann::json;

run::LabelScore to_part(const std::optional<Score>& score) {
  run::LabelScore part;
  if (!score) return part;
  part.f1 = score->f1;
  part.precision = score->precision;
  part.recall = score->recall;
  part.lift = score->lift;
  part.n = score->n;
  part.n_positive = score->n_positive;
  if (score->f1_interval) {
    part.f1_low = score->f1_interval->low;
    part.f1_high = score->f1_interval->high;
  }
  return part;
}

run::LabelDifference to_part(const std::optional<ScoreDifference>& difference) {
  run::LabelDifference part;
  if (difference) part.mean = difference->mean;
  if (difference && difference->interval) {
    part.low = difference->interval->low;
    part.high = difference->interval->high;
  }
  return part;
}

// Nothing where there is no interval to tell by; false for an expert without a rule.
std::optional<bool> beats(const ExpertLabel& label, const Control& control) {
  if (label.status == LabelStatus::kNoRule) return false;
  if (!control.difference || !control.difference->interval) return std::nullopt;
  return control.difference->above_zero();
}

run::LabelRule to_part(const Rule& rule, const std::string& text, const std::vector<Predicate>& predicates) {
  run::LabelRule part{text, {}};
  for (const Term& term : rule.terms) {
    std::vector<run::RuleLiteral>& literals = part.terms.emplace_back();
    for (const Literal& literal : term) literals.push_back({predicates[literal.predicate].id, literal.negated});
  }
  return part;
}

run::LabelPromotes to_part(const Promoted& promoted) {
  run::LabelPromotes part{{}, promoted.text, promoted.n};
  for (const TellingPiece& piece : promoted.pieces) part.pieces.push_back({piece.piece, piece.lift, piece.n});
  return part;
}

run::LabelLine to_line(const ExpertLabel& label, const Labels& labels, const TracedRun& run) {
  run::LabelLine line;
  line.id = {label.layer, label.expert, label.is_shared ? run::kShared : run::kRouted};  // dense layers have no labels
  line.status = status_name(label.status);
  line.label = label.label;
  line.short_label = label.short_label;
  if (label.rule) line.rule = to_part(*label.rule, label.rule_text, labels.predicates);
  line.explainer = "embedded";
  line.target = run::LabelTarget{label.n_routed,        label.n_positive, label.n_left_out,    label.n_explain_positive,
                                 label.n_test_positive, label.base_rate,  label.left_out_share};
  line.scores = run::LabelScores{to_part(label.rule_score), to_part(label.pieces.score),
                                 to_part(label.random_expert.score), to_part(label.always.score)};
  for (const std::int32_t id : label.piece_ids) {
    line.most_frequent_tokens.push_back(run.pieces[static_cast<std::size_t>(id)]);
  }
  line.random_expert_idx = label.random_expert_idx;
  line.difference = run::LabelDifferences{to_part(label.pieces.difference), to_part(label.random_expert.difference),
                                          to_part(label.always.difference)};
  line.beats_most_frequent_tokens = beats(label, label.pieces);
  line.beats_random_expert = beats(label, label.random_expert);
  if (line.beats_most_frequent_tokens && line.beats_random_expert) {
    line.beats_both = *line.beats_most_frequent_tokens && *line.beats_random_expert;
  }
  line.promotes = to_part(label.promoted);
  line.evidence_rows = label.evidence_rows;
  return line;
}

run::EstimatePart to_part(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return {};
  return {estimate->value, estimate->interval.low, estimate->interval.high, estimate->n};
}

run::LabelCounts to_part(const LabelTotals& summary) {
  run::LabelCounts counts;
  counts.n_experts = summary.n_experts;
  counts.n_labelled = summary.n_labelled;
  counts.n_no_rule = summary.n_no_rule;
  counts.n_too_few = summary.n_too_few;
  counts.n_never = summary.n_never;
  counts.beats_both_frac = to_part(summary.beats_both);
  counts.beats_most_frequent_tokens_frac = to_part(summary.beats_pieces);
  counts.beats_random_expert_frac = to_part(summary.beats_random);
  counts.mean_f1 = {to_part(summary.f1_rule), to_part(summary.f1_pieces), to_part(summary.f1_random),
                    to_part(summary.f1_always)};
  return counts;
}

json settings_json(const LabelOptions& options, const Labels& labels) {
  json settings = {{"explainer", "embedded"}, {"target", options.any_routing ? "any_routing" : "half_score"}};
  settings.update(json(io::settings_json(options)));
  settings.update({{"n_predicates", labels.predicates.size()},
                   {"n_predicates_rare", labels.predicate_counts.n_rare},
                   {"n_predicates_equal", labels.predicate_counts.n_equal},
                   {"n_predicates_over", labels.predicate_counts.n_over},
                   {"seconds", labels.seconds}});
  return settings;
}

}  // namespace

void write_labels(const std::filesystem::path& run_directory, const Labels& labels, const TracedRun& run,
                  const LabelOptions& options) {
  std::vector<run::LabelLine> lines;
  for (const ExpertLabel& label : labels.experts) lines.push_back(to_line(label, labels, run));
  run::LabelSummary summary;
  summary.all = to_part(summarize(labels, {}, options));
  for (int layer_idx = 0; layer_idx < run.n_layers; ++layer_idx) {
    summary.layers.push_back({layer_idx, to_part(summarize(labels, {layer_idx, false}, options))});
  }
  if (!run.shared_layers.empty()) summary.shared = to_part(summarize(labels, {-1, true}, options));
  summary.settings = settings_json(options, labels);
  const auto part = [&](std::size_t i) { return run::SplitPart{labels.split.n_units[i], labels.n_tokens[i]}; };
  summary.split = {labels.split.unit, options.split.seed, part(0), part(1), part(2)};
  summary.tool_version = run::tool_version();
  summary.command_line = options.invocation.command_line;
  if (!options.invocation.date.empty()) summary.date = options.invocation.date;
  run::begin_step(run_directory);
  run::write_labels(run_directory, lines, summary);
  if (options.last_step) run::finish_step(run_directory);
}

}  // namespace moescope::label
