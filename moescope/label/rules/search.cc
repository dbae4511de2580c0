#include "moescope/label/rules/search.h"

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"

namespace moescope::label {

namespace {

using Counts = std::vector<std::uint32_t>;  // by predicate

double f1_of(double hits, double predicted, double positive) {
  return predicted + positive > 0 ? 2 * hits / (predicted + positive) : 0;
}

// Log-likelihood ratio of a cover with a share of positives above the base rate, against the base rate; 0 below it. Not
// worked out where it cannot exceed `least`: the divergence of two rates is at most their chi-square distance.
double likelihood_gain(double hits, double n, double base, double least) {
  const double above = hits / n - base;
  if (above <= 0 || n * above * above <= least * base * (1 - base)) return 0;
  double gain = hits * std::log(hits / (n * base));
  if (hits < n) gain += (n - hits) * std::log((n - hits) / (n * (1 - base)));
  return gain;
}

// Adds to `counts` how many of `rows` hold each predicate.
void count_rows(const PredicateTable& table, const Bits& rows, Counts* counts) {
  counts->assign(table.n_predicates(), 0);
  std::uint32_t* data = counts->data();
  rows.for_each([&](std::size_t row) {
    for (std::uint32_t p : table.rare_of_row(row)) ++data[p];
  });
  const std::size_t n_words = rows.words().size();
  for (std::uint32_t p : table.common()) {
    data[p] = static_cast<std::uint32_t>(count_and(rows.words(), table.common_bits(p).words().first(n_words)));
  }
}

struct Growing {
  Term term;
  std::int64_t hits = 0, n = 0;  // in the universe
  double value = 0;              // objective of the rule with this term added
  double gain = 0;
};

// The best few by some key, without two of equal counts (mostly one cover said in two ways).
class Best {
 public:
  explicit Best(int n) : n_(static_cast<std::size_t>(n)) {}

  double threshold() const { return items_.size() < n_ ? -1e300 : items_.back().first; }
  void offer(double key, const Growing& item) {
    if (n_ == 0 || key <= threshold()) return;
    for (const auto& [other_key, other] : items_) {
      if (other.hits == item.hits && other.n == item.n) return;
    }
    if (items_.size() == n_) items_.pop_back();
    const auto at = std::find_if(items_.begin(), items_.end(), [&](const auto& other) { return other.first < key; });
    items_.insert(at, {key, item});
  }
  const std::vector<std::pair<double, Growing>>& items() const { return items_; }

 private:
  std::size_t n_;
  std::vector<std::pair<double, Growing>> items_;
};

}  // namespace

// One expert's search: its target on the explain rows and scratch space.
class ExpertSearch {
 public:
  ExpertSearch(const RuleSearch& search, const Target& target, const LengthPrice& price)
      : search_(search),
        price_(price),
        table_(search.table_),
        options_(search.options_),
        positive_(search.n_explain_),
        judged_(search.n_explain_, true) {
    Bits left_out(search.n_explain_);
    for (std::uint32_t row : target.left_out) {
      if (row < search.n_explain_) left_out.set(row);
    }
    judged_.subtract(left_out);
    for (std::uint32_t row : target.positive) {
      if (row < search.n_explain_) positive_.set(row);
    }
    n_positive_ = positive_.count();
    n_judged_ = judged_.count();
    count_rows(table_, left_out, &judged_counts_);
    for (std::size_t p = 0; p < judged_counts_.size(); ++p) {
      judged_counts_[p] = search.support_[p] - judged_counts_[p];
    }
  }

  // Every rule that was a best one of its stage, the last the best on the explain rows.
  std::vector<Rule> candidates();
  double always_f1() const {
    return f1_of(static_cast<double>(n_positive_), static_cast<double>(n_judged_), static_cast<double>(n_positive_));
  }

 private:
  struct Valued {
    Rule rule;
    double value = 0;
  };

  Bits explain_rows(const Term& term) const;
  Bits cover_of(const Rule& rule) const;
  std::vector<Valued> extend(const Rule& rule, int n) const;
  void grow(const Growing& from, const Counts& n_counts, const Counts& hit_counts, Best* by_value, Best* by_gain,
            Best* overall) const;
  void refine(Valued* best) const;

  const RuleSearch& search_;
  const LengthPrice& price_;
  const PredicateTable& table_;
  const SearchOptions& options_;
  Bits positive_, judged_;  // explain rows
  std::int64_t n_positive_ = 0, n_judged_ = 0;
  Counts judged_counts_;  // judged rows where a predicate holds
  // Of the universe of the present term.
  mutable std::int64_t covered_hits_ = 0, covered_n_ = 0, universe_hits_ = 0, universe_n_ = 0;
  mutable std::size_t n_other_literals_ = 0;
};

Bits ExpertSearch::explain_rows(const Term& term) const {
  Bits rows(search_.n_explain_, true);
  for (const Literal& literal : term) {
    Bits column(search_.n_explain_);
    if (table_.is_common(literal.predicate)) {
      column = table_.common_bits(literal.predicate).prefix(search_.n_explain_);
    } else {
      for (std::uint32_t row : table_.rare_rows(literal.predicate)) {
        if (row >= search_.n_explain_) break;
        column.set(row);
      }
    }
    if (literal.negated) {
      rows.subtract(column);
    } else {
      rows &= column;
    }
  }
  return rows;
}

Bits ExpertSearch::cover_of(const Rule& rule) const {
  Bits rows(search_.n_explain_);
  for (const Term& term : rule.terms) rows |= explain_rows(term);
  return rows &= judged_;
}

// Offers every literal that may be added to `from`, given how many of its rows (and of its positives) hold each.
void ExpertSearch::grow(const Growing& from, const Counts& n_counts, const Counts& hit_counts, Best* by_value,
                        Best* by_gain, Best* overall) const {
  const double base = static_cast<double>(universe_hits_) / static_cast<double>(universe_n_);
  const std::size_t n_literals = n_other_literals_ + from.term.size() + 1;
  const double penalty =
      options_.literal_penalty * static_cast<double>(n_literals) + LengthPrice::at(price_.explain, n_literals);
  const auto positive = static_cast<double>(n_positive_);
  Growing next;
  for (std::size_t p = 0; p < n_counts.size(); ++p) {
    for (int sign = 0; sign < 2; ++sign) {
      const std::int64_t n = sign == 0 ? n_counts[p] : from.n - n_counts[p];
      const std::int64_t hits = sign == 0 ? hit_counts[p] : from.hits - hit_counts[p];
      if (hits < options_.min_hits || n == from.n) continue;
      const double value =
          f1_of(static_cast<double>(covered_hits_ + hits), static_cast<double>(covered_n_ + n), positive) - penalty;
      const double gain =
          likelihood_gain(static_cast<double>(hits), static_cast<double>(n), base, std::max(0.0, by_gain->threshold()));
      if (value <= by_value->threshold() && gain <= by_gain->threshold() && value <= overall->threshold()) continue;
      next.term = from.term;
      next.term.push_back({static_cast<std::uint32_t>(p), sign == 1});
      next.hits = hits;
      next.n = n;
      next.value = value;
      next.gain = gain;
      by_value->offer(value, next);
      by_gain->offer(gain, next);
      overall->offer(value, next);
    }
  }
}

// The best `n` rules that add one term to `rule`.
std::vector<ExpertSearch::Valued> ExpertSearch::extend(const Rule& rule, int n) const {
  const Bits cover = cover_of(rule);
  Bits universe = judged_;
  universe.subtract(cover);
  Bits universe_positive = positive_;
  universe_positive.subtract(cover);
  covered_n_ = cover.count();
  universe_n_ = n_judged_ - covered_n_;
  universe_hits_ = universe_positive.count();
  covered_hits_ = n_positive_ - universe_hits_;
  n_other_literals_ = rule.n_literals();
  if (universe_hits_ < options_.min_hits) return {};

  Counts universe_counts, hit_counts, n_counts, scratch;
  count_rows(table_, cover, &universe_counts);
  for (std::size_t p = 0; p < universe_counts.size(); ++p) universe_counts[p] = judged_counts_[p] - universe_counts[p];
  count_rows(table_, universe_positive, &hit_counts);
  Best overall(n);
  std::vector<Growing> beam;
  for (int length = 1; length <= options_.max_literals; ++length) {
    Best by_value(options_.beam), by_gain(options_.beam_likelihood);
    if (length == 1) {
      const Growing all{{}, universe_hits_, universe_n_, 0, 0};
      grow(all, universe_counts, hit_counts, &by_value, &by_gain, &overall);
    }
    for (const Growing& from : beam) {
      Bits rows = explain_rows(from.term);
      rows &= universe;
      if (from.n * 2 <= universe_n_) {
        count_rows(table_, rows, &n_counts);
      } else {  // count the smaller side
        Bits rest = universe;
        rest.subtract(rows);
        count_rows(table_, rest, &scratch);
        n_counts.resize(scratch.size());
        for (std::size_t p = 0; p < scratch.size(); ++p) n_counts[p] = universe_counts[p] - scratch[p];
      }
      rows &= positive_;
      count_rows(table_, rows, &hit_counts);
      grow(from, n_counts, hit_counts, &by_value, &by_gain, &overall);
    }
    beam.clear();
    for (const auto& [key, item] : by_value.items()) beam.push_back(item);
    for (const auto& entry : by_gain.items()) {
      const Growing& item = entry.second;
      const bool known = std::any_of(
          beam.begin(), beam.end(), [&](const Growing& other) { return other.hits == item.hits && other.n == item.n; });
      if (!known) beam.push_back(item);
    }
  }
  std::vector<Valued> extended;
  for (const auto& [value, item] : overall.items()) {
    Rule longer = rule;
    longer.terms.push_back(item.term);
    extended.push_back({std::move(longer), value});
  }
  return extended;
}

// Takes each term out in turn and looks for a better one in its place.
void ExpertSearch::refine(Valued* best) const {
  for (int round = 0; round < options_.n_refinements; ++round) {
    bool better = false;
    for (std::size_t i = 0; i < best->rule.terms.size(); ++i) {
      Rule rest = best->rule;
      rest.terms.erase(rest.terms.begin() + static_cast<std::ptrdiff_t>(i));
      const std::vector<Valued> found = extend(rest, 1);
      if (!found.empty() && found[0].value > best->value + 1e-9) {
        *best = found[0];
        better = true;
      }
    }
    if (!better) return;
  }
}

std::vector<Rule> ExpertSearch::candidates() {
  std::vector<Rule> stages;
  std::vector<Valued> beam = {{Rule(), 0}};
  Valued best{Rule(), 0};
  for (int n_terms = 1; n_terms <= options_.max_terms; ++n_terms) {
    std::vector<Valued> longer;
    for (const Valued& from : beam) {
      for (Valued& found : extend(from.rule, options_.rule_beam)) longer.push_back(std::move(found));
    }
    std::stable_sort(longer.begin(), longer.end(), [](const Valued& a, const Valued& b) { return a.value > b.value; });
    if (longer.size() > static_cast<std::size_t>(options_.rule_beam)) {
      longer.resize(static_cast<std::size_t>(options_.rule_beam));
    }
    if (longer.empty()) break;
    Valued refined = longer[0];
    if (n_terms > 1) refine(&refined);
    for (const Valued& rule : longer) stages.push_back(rule.rule);
    stages.push_back(refined.rule);
    longer[0] = std::move(refined);
    beam = std::move(longer);
  }
  return stages;
}

namespace {

// Scores rules on the validation rows.
class Validation {
 public:
  Validation(const PredicateTable& table, const Target& target, std::size_t begin, std::size_t end,
             const LengthPrice& price, double literal_penalty)
      : table_(table),
        price_(price),
        literal_penalty_(literal_penalty),
        positive_(table.n_rows()),
        judged_(table.n_rows()) {
    for (std::size_t row = begin; row < end; ++row) judged_.set(row);
    for (std::uint32_t row : target.left_out) judged_.clear(row);
    for (std::uint32_t row : target.positive) {
      if (row >= begin && row < end) positive_.set(row);
    }
    n_positive_ = positive_.count();
  }

  std::int64_t n_positive() const { return n_positive_; }
  double f1(const Rule& rule) const {
    Bits cover = evaluate(rule, table_);
    cover &= judged_;
    return f1_of(static_cast<double>(count_and(cover.words(), positive_.words())), static_cast<double>(cover.count()),
                 static_cast<double>(n_positive_));
  }
  // F1 less what the rule's length costs.
  double value(const Rule& rule) const {
    const std::size_t n = rule.n_literals();
    return f1(rule) - literal_penalty_ * static_cast<double>(n) - LengthPrice::at(price_.validation, n);
  }
  double lift(const Rule& rule) const {
    Bits cover = evaluate(rule, table_);
    cover &= judged_;
    const auto n = static_cast<double>(cover.count());
    if (n == 0) return 0;
    const auto hits = static_cast<double>(count_and(cover.words(), positive_.words()));
    return hits / n * static_cast<double>(judged_.count()) / static_cast<double>(n_positive_);
  }
  double always_f1() const {
    return f1_of(static_cast<double>(n_positive_), static_cast<double>(judged_.count()),
                 static_cast<double>(n_positive_));
  }

 private:
  const PredicateTable& table_;
  const LengthPrice& price_;
  double literal_penalty_;
  Bits positive_, judged_;
  std::int64_t n_positive_ = 0;
};

// `rule` without its literal `at` (counted through all terms); a term that loses its last literal goes.
Rule without_literal(const Rule& rule, std::size_t at) {
  Rule shorter;
  for (const Term& term : rule.terms) {
    Term kept;
    for (const Literal& literal : term) {
      if (at-- != 0) kept.push_back(literal);
    }
    if (!kept.empty()) shorter.terms.push_back(std::move(kept));
  }
  return shorter;
}

// Takes out, one at a time, whatever does not help on the validation rows. Returns the value that is left.
double prune(const Validation& validation, Rule* rule) {
  double best = validation.value(*rule);
  for (bool pruned = true; pruned && rule->n_literals() > 1;) {
    pruned = false;
    std::vector<Rule> shorter;
    for (std::size_t i = 0; i < rule->n_literals(); ++i) shorter.push_back(without_literal(*rule, i));
    for (std::size_t i = 0; i < rule->terms.size() && rule->terms.size() > 1; ++i) {
      Rule fewer = *rule;
      fewer.terms.erase(fewer.terms.begin() + static_cast<std::ptrdiff_t>(i));
      shorter.push_back(std::move(fewer));
    }
    for (const Rule& one : shorter) {
      const double value = validation.value(one);
      if (value < best) continue;
      best = value;
      *rule = one;
      pruned = true;
    }
  }
  return best;
}

}  // namespace

RuleSearch::RuleSearch(const PredicateTable& table, std::size_t n_explain, std::size_t n_validation,
                       const SearchOptions& options)
    : table_(table), n_explain_(n_explain), n_validation_(n_validation), options_(options) {
  MOESCOPE_ASSERT(n_explain + n_validation <= table.n_rows());
  count_rows(table, Bits(n_explain, true), &support_);
}

std::optional<Rule> RuleSearch::find(const Target& target, const LengthPrice& price) const {
  ExpertSearch expert(*this, target, price);
  std::vector<Rule> rules = expert.candidates();
  if (rules.empty()) return std::nullopt;
  const Validation validation(table_, target, n_explain_, n_explain_ + n_validation_, price, options_.literal_penalty);
  if (validation.n_positive() == 0) return rules.back();  // nothing to prune on
  std::optional<Rule> best;
  double best_value = -1e300;
  for (Rule& rule : rules) {
    const double value = prune(validation, &rule);
    const bool says_something = validation.lift(rule) >= kMinLift && validation.f1(rule) > validation.always_f1();
    if (value > best_value && says_something) {
      best_value = value;
      best = std::move(rule);
    }
  }
  return best;
}

}  // namespace moescope::label
