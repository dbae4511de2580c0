#include "moescope/label/labeler.h"

namespace moescope::label {

void LabelOptions::describe(OptionList& list) {
  list.add("seed", seed, "of the split, the resamples and the random other expert");
  list.add("threads", n_threads, "0: all processors", {.least = 0, .in_identity = false});
  describe_rules(list);
}

void LabelOptions::describe_rules(OptionList& list) {
  list.group("Labels");
  list.add("any-routing", any_routing,
           "target: every token that reaches the expert, not only those with half of its score");
  list.add("resamples", n_resamples, "of the test documents for intervals",
           {.least = 100, .most = 100000, .key = "n_resamples"});
  list.add("min-explain-positive", min_explain_positive, "fewer target tokens to learn from: no label", {.least = 1});
  list.add("min-test-positive", min_test_positive, "fewer target tokens to test on: no label", {.least = 1});
  list.group("Rules");
  list.add("max-terms", search.max_terms, "terms of a rule, joined by or", {.least = 1, .most = 5});
  list.add("max-literals", search.max_literals, "literals of a term, joined by and", {.least = 1, .most = 5});
  list.add("beam", search.beam, "terms kept by F1 while searching", {.least = 1, .most = 100});
  list.add("beam-likelihood", search.beam_likelihood, "and by likelihood ratio", {.least = 0, .most = 100});
  list.add("rule-beam", search.rule_beam, "rules kept while adding terms", {.least = 1, .most = 100});
  list.add("refinements", search.n_refinements, "rounds of searching each term again",
           {.least = 0, .most = 100, .key = "n_refinements"});
  list.add("literal-penalty", search.literal_penalty, "F1 that a literal costs", {.least = 0, .most = 1});
  list.add("length-price", search.length_price,
           "share of what one more single piece would bring that a literal must bring at least",
           {.least = 0, .most = 1});
  list.add("min-support", predicates.min_support, "tokens where a predicate must hold, and where it must not",
           {.unit = "tokens", .least = 1});
  list.add("max-predicates", predicates.max_predicates, "the best supported ones stay", {.least = 1});
  list.add("groups", groups.n_groups, "numbers of groups of similar tokens", {.least = 1});
}

}  // namespace moescope::label
