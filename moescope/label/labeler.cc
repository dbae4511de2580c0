#include "moescope/label/labeler.h"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/parallel.h"
#include "moescope/base/random.h"
#include "moescope/label/sentences/sentence.h"

namespace moescope::label {

namespace {

// Salts of the seed, so that no two uses of it share random numbers.
constexpr std::uint64_t kResampleSalt = 0x7265, kRandomExpertSalt = 0x6578, kGroupSalt = 0x6772;

ConceptMarks mark_concepts(const TracedRun& run, const text::ConceptLibrary& concepts, int n_threads) {
  ConceptMarks marked;
  for (std::size_t c = 0; c < concepts.size(); ++c) {
    marked.names.push_back(concepts.at(c).name);
    marked.marks.emplace_back(run.tokens.size());
  }
  const std::vector<Context> contexts = contexts_of(run.tokens);
  parallel_for(concepts.size(), n_threads, [&](std::size_t c) {
    for (const Context& context : contexts) {
      throw_if_interrupted("nothing was written");
      const std::string& document = run.documents[static_cast<std::size_t>(context.doc_idx)].text;
      const std::int64_t begin = run.tokens.byte_begin[context.begin];
      const std::int64_t end = run.tokens.byte_end[context.end - 1];
      std::vector<text::Offset> tokens;
      for (std::size_t t = context.begin; t < context.end; ++t) {
        tokens.push_back({run.tokens.byte_begin[t] - begin, run.tokens.byte_end[t] - begin});
      }
      const std::string_view text =
          std::string_view(document).substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      const bool begins_line = begin == 0 || document[static_cast<std::size_t>(begin) - 1] == '\n';
      const std::vector<bool> shows = concepts.visible(c, text, tokens, begins_line);
      for (std::size_t i = 0; i < shows.size(); ++i) {
        if (shows[i]) marked.marks[c].set(context.begin + i);
      }
    }
  });
  return marked;
}

// Everything that all layers share.
class Labeler {
 public:
  Labeler(const TracedRun& run, const LabelOptions& options, const text::ConceptLibrary* concepts)
      : run_(run),
        options_(options),
        split_(split_tokens(run, options.split)),
        table_(build_table(concepts)),
        resamples_(split_.n_units[2], options.n_resamples, hash64(options.seed, kResampleSalt)),
        search_(table_, split_.n_explain, split_.n_validation, options.search) {
    for (std::uint32_t token : split_.token_of_row) token_id_of_row_.push_back(run.tokens.token_id[token]);
    for (std::size_t w = 0; w < run.evidence.size(); ++w) {
      const auto key = std::pair(run.evidence.layer[w], run.evidence.expert[w]);
      evidence_rows_[key].push_back(static_cast<std::int64_t>(w));
    }
  }

  // `on_expert` is called after every expert, from any thread.
  std::vector<ExpertLabel> label_layer(int layer_idx, const std::function<void()>& on_expert) const;

  const TokenSplit& split() const { return split_; }
  const PredicateTable& table() const { return table_; }
  const PredicateCounts& predicate_counts() const { return predicate_counts_; }

 private:
  PredicateTable build_table(const text::ConceptLibrary* concepts);
  LengthPrice price_of_length(const Target& target) const;
  void learn(const Target& target, ExpertLabel* label) const;
  void judge(const Target& target, const std::vector<ExpertLabel>& layer, ExpertLabel* label) const;
  std::optional<int> random_other(const std::vector<ExpertLabel>& layer, const ExpertLabel& label) const;
  void say(ExpertLabel* label) const;

  const TracedRun& run_;
  const LabelOptions& options_;
  TokenSplit split_;
  PredicateCounts predicate_counts_;
  PredicateTable table_;
  stats::Resamples resamples_;
  RuleSearch search_;
  std::vector<std::int32_t> token_id_of_row_;
  std::map<std::pair<int, int>, std::vector<std::int64_t>> evidence_rows_;
};

PredicateTable Labeler::build_table(const text::ConceptLibrary* concepts) {
  const std::size_t n = run_.tokens.size();
  std::vector<bool> in_explain(n, false), follows(n, false);
  for (std::size_t row = 0; row < split_.n_explain; ++row) in_explain[split_.token_of_row[row]] = true;
  for (const Context& context : contexts_of(run_.tokens)) {
    for (std::size_t t = context.begin + 1; t < context.end; ++t) follows[t] = true;
  }
  TokenGroupOptions group_options = options_.groups;
  group_options.seed = hash64(options_.seed, kGroupSalt);
  const TokenGroups groups = group_tokens(run_.tokens.token_id, follows, in_explain, run_.pieces.size(), group_options);
  ConceptMarks marks;
  if (concepts != nullptr) marks = mark_concepts(run_, *concepts, options_.n_threads);
  const FeatureRows rows = extract_features(run_, in_explain, groups, marks);
  return make_predicates(rows, split_.token_of_row, split_.n_explain, run_, groups, options_.predicates,
                         &predicate_counts_);
}

// By how much the control of single pieces gains when a rule has n literals instead of kMinPieces or fewer.
LengthPrice Labeler::price_of_length(const Target& target) const {
  const auto n_max = static_cast<std::size_t>(options_.search.max_terms * options_.search.max_literals);
  const PieceCurve curve =
      piece_curve(token_id_of_row_, run_.pieces.size(), split_, target, std::max(n_max, kMinPieces));
  const auto price = [&](const std::vector<double>& f1) {
    std::vector<double> prices(f1.size(), 0.0);
    for (std::size_t n = kMinPieces + 1; n < f1.size(); ++n) {
      prices[n] = std::max(prices[n - 1], options_.search.length_price * (f1[n] - f1[kMinPieces]));
    }
    return prices;
  };
  return {price(curve.explain), price(curve.validation)};
}

// Counts and status; the rule, where one can be learned.
void Labeler::learn(const Target& target, ExpertLabel* label) const {
  label->n_positive = static_cast<std::int64_t>(target.positive.size());
  label->n_left_out = static_cast<std::int64_t>(target.left_out.size());
  label->n_routed = target.n_routed;
  for (std::uint32_t row : target.positive) {
    label->n_explain_positive += row < split_.n_explain ? 1 : 0;
    label->n_test_positive += row >= split_.test_begin() ? 1 : 0;
  }
  if (label->n_routed == 0) {
    label->status = LabelStatus::kNever;
  } else if (label->n_explain_positive < options_.min_explain_positive ||
             label->n_test_positive < options_.min_test_positive) {
    label->status = LabelStatus::kTooFew;
  } else {
    label->rule = search_.find(target, price_of_length(target));
    label->status = label->rule ? LabelStatus::kOk : LabelStatus::kNoRule;
  }
}

std::optional<int> Labeler::random_other(const std::vector<ExpertLabel>& layer, const ExpertLabel& label) const {
  std::vector<int> others;
  for (const ExpertLabel& other : layer) {
    if (other.rule && !other.is_shared && other.expert != label.expert) others.push_back(other.expert);
  }
  if (others.empty()) return std::nullopt;
  const std::uint64_t word = hash64(options_.seed, kRandomExpertSalt, static_cast<std::uint64_t>(label.layer),
                                    static_cast<std::uint64_t>(label.expert));
  return others[word % others.size()];
}

// Test scores of the rule and of its controls.
void Labeler::judge(const Target& target, const std::vector<ExpertLabel>& layer, ExpertLabel* label) const {
  const TestScorer scorer(split_, resamples_, target);
  label->always.score = scorer.score_always();
  if (label->always.score->n > 0) {
    label->base_rate = static_cast<double>(scorer.n_positive()) / static_cast<double>(label->always.score->n);
  }
  const std::size_t n_literals = label->rule ? label->rule->n_literals() : 0;
  label->piece_ids =
      best_pieces(token_id_of_row_, run_.pieces.size(), split_, target, std::max(kMinPieces, n_literals));
  label->pieces.score = scorer.score(rows_of_pieces(token_id_of_row_, label->piece_ids));
  label->random_expert_idx = random_other(layer, *label);
  if (label->random_expert_idx) {
    const ExpertLabel& other = layer[static_cast<std::size_t>(*label->random_expert_idx)];
    label->random_expert.score = scorer.score(evaluate(*other.rule, table_));
  }
  if (!label->rule) return;
  const Bits predicted = evaluate(*label->rule, table_);
  label->rule_score = scorer.score(predicted);
  label->left_out_share = scorer.left_out_share(predicted);
  for (Control* control : {&label->pieces, &label->random_expert, &label->always}) {
    if (control->score) control->difference = difference(resamples_, *label->rule_score, *control->score);
  }
}

void Labeler::say(ExpertLabel* label) const {
  const std::string writes = label->promoted.text.empty() ? "" : "; " + label->promoted.text;
  switch (label->status) {
    case LabelStatus::kOk: {
      label->rule_text = rule_text(*label->rule, table_);
      const std::string said = say_rule(*label->rule, table_);
      // Without a prediction on the test rows there is no precision: nothing is claimed beyond the rule itself.
      const double precision = label->rule_score->precision.value_or(0), recall = label->rule_score->recall.value_or(0);
      label->label = sentence(said, precision, recall, label->promoted.text);
      label->short_label = shortened(said, kShortLabelLength);
      break;
    }
    case LabelStatus::kNoRule:
      label->label = "No rule over its tokens and their context beats saying yes always" + writes;
      label->short_label = "no rule found";
      break;
    case LabelStatus::kTooFew:
      label->label = "Too few traced tokens to learn and test a rule" + writes;
      label->short_label = "too few tokens";
      break;
    case LabelStatus::kNever:
      label->label = "No traced token reaches it" + writes;
      label->short_label = "never used";
      break;
  }
}

std::vector<ExpertLabel> Labeler::label_layer(int layer_idx, const std::function<void()>& on_expert) const {
  const std::vector<Target> targets = make_targets(run_, run_.routing(layer_idx), split_, options_.any_routing);
  std::vector<Promoted> promoted = summarize_promoted(run_, layer_idx);
  std::vector<ExpertLabel> labels(targets.size());
  parallel_for(labels.size(), options_.n_threads, [&](std::size_t e) {
    throw_if_interrupted("nothing was written");
    labels[e].layer = layer_idx;
    labels[e].expert = static_cast<int>(e);
    labels[e].is_shared = labels[e].expert == run_.n_experts;
    labels[e].promoted = std::move(promoted[e]);
    learn(targets[e], &labels[e]);
    on_expert();
  });
  parallel_for(labels.size(), options_.n_threads, [&](std::size_t e) {
    const auto rows = evidence_rows_.find({layer_idx, static_cast<int>(e)});
    if (rows != evidence_rows_.end()) labels[e].evidence_rows = rows->second;
    if (labels[e].scored()) judge(targets[e], labels, &labels[e]);
    say(&labels[e]);
  });
  for (ExpertLabel& label : labels) {  // the draws have done their work
    for (std::optional<Score>* score :
         {&label.rule_score, &label.pieces.score, &label.random_expert.score, &label.always.score}) {
      if (*score) (*score)->draws = {};
    }
  }
  return labels;
}

}  // namespace

const char* status_name(LabelStatus status) {
  switch (status) {
    case LabelStatus::kOk: return "ok";
    case LabelStatus::kTooFew: return "too_few";
    case LabelStatus::kNoRule: return "no_rule";
    case LabelStatus::kNever: return "never";
  }
  return "";
}

Labels label_experts(const TracedRun& run, const LabelOptions& options, const text::ConceptLibrary* concepts,
                     const Console& console) {
  check_options(options);
  Progress progress(
      console, "label", "experts",
      static_cast<std::int64_t>(run.n_layers - static_cast<int>(run.dense_layers.size())) * run.n_experts +
          static_cast<std::int64_t>(run.shared_layers.size()));
  progress.update(0, "describing tokens");
  const Labeler labeler(run, options, concepts);
  Labels labels;
  std::mutex reporting;
  std::int64_t n_done = 0;
  for (int layer_idx = 0; layer_idx < run.n_layers; ++layer_idx) {
    if (run.dense_layers.contains(layer_idx)) continue;
    std::vector<ExpertLabel> layer = labeler.label_layer(layer_idx, [&] {
      const std::lock_guard<std::mutex> lock(reporting);
      progress.update(++n_done);
    });
    for (ExpertLabel& label : layer) labels.experts.push_back(std::move(label));
  }
  for (std::size_t p = 0; p < labeler.table().n_predicates(); ++p) {
    labels.predicates.push_back(labeler.table().predicate(p));
  }
  labels.split.unit = labeler.split().unit;
  labels.split.n_units = labeler.split().n_units;
  labels.n_tokens = {static_cast<std::int64_t>(labeler.split().n_explain),
                     static_cast<std::int64_t>(labeler.split().n_validation),
                     static_cast<std::int64_t>(labeler.split().n_test)};
  labels.predicate_counts = labeler.predicate_counts();
  labels.n_resamples = options.n_resamples;
  labels.seconds = progress.seconds();
  progress.finish();
  return labels;
}

LabelTotals summarize(const Labels& labels, const LabelChoice& choice, const LabelOptions& options) {
  LabelTotals summary;
  std::int64_t n_both = 0, n_both_of = 0, n_pieces = 0, n_pieces_of = 0, n_random = 0, n_random_of = 0;
  std::vector<double> rule, pieces, random, always;
  const auto add = [](const std::optional<Score>& score, std::vector<double>* values) {
    if (score && score->f1) values->push_back(*score->f1);
  };
  for (const ExpertLabel& label : labels.experts) {
    if (label.is_shared != choice.shared) continue;
    if (choice.layer_idx >= 0 && label.layer != choice.layer_idx) continue;
    ++summary.n_experts;
    summary.n_labelled += label.status == LabelStatus::kOk ? 1 : 0;
    summary.n_no_rule += label.status == LabelStatus::kNoRule ? 1 : 0;
    summary.n_too_few += label.status == LabelStatus::kTooFew ? 1 : 0;
    summary.n_never += label.status == LabelStatus::kNever ? 1 : 0;
    if (!label.scored()) continue;
    const bool no_rule = label.status == LabelStatus::kNoRule;  // beats nobody
    const auto known = [&](const Control& control) {
      return no_rule || (control.difference && control.difference->interval);
    };
    const auto beats = [&](const Control& control) { return !no_rule && control.difference->above_zero(); };
    if (known(label.pieces)) {
      ++n_pieces_of;
      n_pieces += beats(label.pieces) ? 1 : 0;
    }
    if (known(label.random_expert)) {
      ++n_random_of;
      n_random += beats(label.random_expert) ? 1 : 0;
    }
    if (known(label.pieces) && known(label.random_expert)) {
      ++n_both_of;
      n_both += beats(label.pieces) && beats(label.random_expert) ? 1 : 0;
    }
    if (no_rule) continue;
    add(label.rule_score, &rule);
    add(label.pieces.score, &pieces);
    add(label.random_expert.score, &random);
    add(label.always.score, &always);
  }
  summary.beats_both = stats::wilson_share(n_both, n_both_of);
  summary.beats_pieces = stats::wilson_share(n_pieces, n_pieces_of);
  summary.beats_random = stats::wilson_share(n_random, n_random_of);
  const auto mean = [&](const std::vector<double>& values) {
    return stats::bootstrap_mean(values, options.n_resamples, hash64(options.seed, kResampleSalt, 1));
  };
  summary.f1_rule = mean(rule);
  summary.f1_pieces = mean(pieces);
  summary.f1_random = mean(random);
  summary.f1_always = mean(always);
  return summary;
}

}  // namespace moescope::label
