// Learns the rule of an expert: beam search for disjunctions of conjunctions on the explain rows, pruned on the
// validation rows.
//
// Objective: F1 on the explain rows less a penalty per literal. One term is grown literal by literal in a beam that
// keeps the best by F1 and the best by log-likelihood ratio (a pure core that F1 would not yet choose); terms are
// added one at a time to a small beam of rules, then each term is searched again with the others fixed. Every rule met
// on the way competes on the validation rows after pruning (a literal or term that does not help there goes, as in
// Cohen's RIPPER).
// A literal has a price: by how much one more single piece would improve the control of single pieces (score.h) for
// this expert. So a rule grows only by what says more than a longer list of pieces would.
// Only a rule with a lift of kMinLift on the validation rows is a rule: without that bar an expert that fires at random
// would get "nearly every token", which F1 likes better than a few pieces.
// Counting: rare predicates by walking the rows of a cover, common ones by popcount over bits, so that the cost of a
// cover is its size times the few predicates that hold on a row, not rows times predicates.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "moescope/label/predicates/predicates.h"
#include "moescope/label/rules/rule.h"
#include "moescope/label/scoring/split.h"
#include "moescope/label/scoring/target.h"

namespace moescope::label {

inline constexpr double kMinLift = 1.25;  // precision over base rate

struct SearchOptions {
  int max_terms = 3;
  int max_literals = 3;     // of a term
  int beam = 6;             // terms kept by F1 while growing
  int beam_likelihood = 3;  // and by likelihood ratio
  int rule_beam = 2;        // rules kept while adding terms
  int n_refinements = 1;    // rounds of searching each term again
  double literal_penalty = 0.002;
  // Share of LengthPrice that a rule pays: 0 looks at F1 alone, 1 at the lead over the control.
  double length_price = 0.5;
  std::int64_t min_hits = 5;  // positives that a term must add
};

// What a rule of n literals costs, by n; empty: nothing. Rising, from 0.
struct LengthPrice {
  std::vector<double> explain, validation;

  static double at(const std::vector<double>& prices, std::size_t n) {
    return prices.empty() ? 0 : prices[std::min(n, prices.size() - 1)];
  }
};

// Base counts of the explain part, shared by all experts. Immutable; find() is safe from many threads.
class RuleSearch {
 public:
  // Views `table`; rows [0, n_explain) are the explain part, [n_explain, n_explain + n_validation) validation.
  RuleSearch(const PredicateTable& table, std::size_t n_explain, std::size_t n_validation,
             const SearchOptions& options);

  // The best rule; none where nothing beats saying yes always.
  std::optional<Rule> find(const Target& target, const LengthPrice& price = {}) const;

 private:
  friend class ExpertSearch;
  const PredicateTable& table_;
  std::size_t n_explain_, n_validation_;
  SearchOptions options_;
  std::vector<std::uint32_t> support_;  // explain rows where a predicate holds
};

}  // namespace moescope::label
