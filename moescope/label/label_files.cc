// labels.jsonl and label_summary.json. A number that does not exist is null; `status` says why.
#include <nlohmann/json.hpp>

#include "moescope/io/option_json.h"
#include "moescope/io/run_directory.h"
#include "moescope/label/labeler.h"

namespace moescope::label {

namespace {

using json = nlohmann::ordered_json;

// Text for JSON: pieces of a byte vocabulary may be broken UTF-8.
std::string dumped(const json& value, int indent = -1) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

template <typename T>
json nullable(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json to_json(const std::optional<Score>& score) {
  json object;
  const Score none;
  const Score& s = score ? *score : none;
  object["f1"] = nullable(s.f1);
  object["precision"] = nullable(s.precision);
  object["recall"] = nullable(s.recall);
  object["lift"] = nullable(s.lift);
  object["n"] = score ? json(s.n) : json(nullptr);
  object["n_positive"] = score ? json(s.n_positive) : json(nullptr);
  object["f1_low"] = s.f1_interval ? json(s.f1_interval->low) : json(nullptr);
  object["f1_high"] = s.f1_interval ? json(s.f1_interval->high) : json(nullptr);
  return object;
}

json to_json(const std::optional<Difference>& difference) {
  json object;
  object["mean"] = difference ? json(difference->mean) : json(nullptr);
  const bool known = difference && difference->interval;
  object["low"] = known ? json(difference->interval->low) : json(nullptr);
  object["high"] = known ? json(difference->interval->high) : json(nullptr);
  return object;
}

// Null where there is no interval to tell by; false for an expert without a rule.
json beats(const ExpertLabel& label, const Control& control) {
  if (label.status == LabelStatus::kNoRule) return false;
  if (!control.difference || !control.difference->interval) return nullptr;
  return control.difference->above_zero();
}

json to_json(const Rule& rule, const std::string& text, const std::vector<Predicate>& predicates) {
  json terms = json::array();
  for (const Term& term : rule.terms) {
    json literals = json::array();
    for (const Literal& literal : term) {
      literals.push_back({{"predicate", predicates[literal.predicate].id}, {"negated", literal.negated}});
    }
    terms.push_back(literals);
  }
  return {{"text", text}, {"terms", terms}};
}

json to_json(const Promoted& promoted) {
  json pieces = json::array();
  for (const PromotedPiece& piece : promoted.pieces) {
    pieces.push_back({{"piece", piece.piece}, {"lift", piece.lift}, {"n", piece.n}});
  }
  return {{"pieces", pieces}, {"text", promoted.text}, {"n", promoted.n}};
}

json to_json(const ExpertLabel& label, const Labels& labels, const RunData& run) {
  json line;
  line["layer"] = label.layer;
  line["expert"] = label.expert;
  line["kind"] = label.is_shared ? "shared" : "routed";
  line["status"] = status_name(label.status);
  line["label"] = label.label;
  line["short_label"] = label.short_label;
  line["rule"] = label.rule ? to_json(*label.rule, label.rule_text, labels.predicates) : json(nullptr);
  line["explainer"] = "embedded";
  line["target"] = {{"n_routed", label.n_routed},
                    {"n_positive", label.n_positive},
                    {"n_left_out", label.n_left_out},
                    {"n_explain_positive", label.n_explain_positive},
                    {"n_test_positive", label.n_test_positive},
                    {"base_rate_frac", nullable(label.base_rate)},
                    {"left_out_hit_frac", nullable(label.left_out_share)}};
  line["scores"] = {{"rule", to_json(label.rule_score)},
                    {"most_frequent_tokens", to_json(label.pieces.score)},
                    {"random_expert", to_json(label.random_expert.score)},
                    {"always", to_json(label.always.score)}};
  json pieces = json::array();
  for (std::int32_t id : label.piece_ids) pieces.push_back(run.pieces[static_cast<std::size_t>(id)]);
  line["most_frequent_tokens"] = pieces;
  line["random_expert_idx"] = nullable(label.random_expert_idx);
  line["difference"] = {{"most_frequent_tokens", to_json(label.pieces.difference)},
                        {"random_expert", to_json(label.random_expert.difference)},
                        {"always", to_json(label.always.difference)}};
  const json beats_pieces = beats(label, label.pieces), beats_random = beats(label, label.random_expert);
  line["beats_most_frequent_tokens"] = beats_pieces;
  line["beats_random_expert"] = beats_random;
  const bool known = !beats_pieces.is_null() && !beats_random.is_null();
  line["beats_both"] = known ? json(beats_pieces.get<bool>() && beats_random.get<bool>()) : json(nullptr);
  line["promotes"] = to_json(label.promoted);
  line["evidence_rows"] = label.evidence_rows;
  return line;
}

json to_json(const std::optional<stats::Estimate>& estimate) {
  if (!estimate) return {{"value", nullptr}, {"low", nullptr}, {"high", nullptr}, {"n", 0}};
  return {{"value", estimate->value},
          {"low", estimate->interval.low},
          {"high", estimate->interval.high},
          {"n", estimate->n}};
}

json to_json(const LabelSummary& summary) {
  json object;
  object["n_experts"] = summary.n_experts;
  object["n_labelled"] = summary.n_labelled;
  object["n_no_rule"] = summary.n_no_rule;
  object["n_too_few"] = summary.n_too_few;
  object["n_never"] = summary.n_never;
  object["beats_both_frac"] = to_json(summary.beats_both);
  object["beats_most_frequent_tokens_frac"] = to_json(summary.beats_pieces);
  object["beats_random_expert_frac"] = to_json(summary.beats_random);
  object["mean_f1"] = {{"rule", to_json(summary.f1_rule)},
                       {"most_frequent_tokens", to_json(summary.f1_pieces)},
                       {"random_expert", to_json(summary.f1_random)},
                       {"always", to_json(summary.f1_always)}};
  return object;
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

void write_labels(const std::filesystem::path& run_directory, const Labels& labels, const RunData& run,
                  const LabelOptions& options) {
  std::string lines;
  for (const ExpertLabel& label : labels.experts) lines += dumped(to_json(label, labels, run)) + "\n";
  json summary = to_json(summarise(labels, {}, options));
  summary["layers"] = json::array();
  for (int layer_idx = 0; layer_idx < run.n_layers; ++layer_idx) {
    json layer = {{"layer", layer_idx}};
    layer.update(to_json(summarise(labels, {layer_idx, false}, options)));
    summary["layers"].push_back(layer);
  }
  if (!run.shared_layers.empty()) summary["shared"] = to_json(summarise(labels, {-1, true}, options));
  summary["settings"] = settings_json(options, labels);
  const auto part = [&](std::size_t i) {
    return json{{"units", labels.split.n_units[i]}, {"tokens", labels.n_tokens[i]}};
  };
  summary["split"] = {{"unit", labels.split.unit},
                      {"seed", options.split.seed},
                      {"n_explain", part(0)},
                      {"n_validation", part(1)},
                      {"n_test", part(2)}};
  io::write_file_atomically(run_directory / "labels.jsonl", lines);
  io::write_file_atomically(run_directory / "label_summary.json", dumped(summary, 1) + "\n");
}

}  // namespace moescope::label
