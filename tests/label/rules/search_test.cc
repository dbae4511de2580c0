#include "moescope/label/rules/search.h"

#include <gtest/gtest.h>

#include "moescope/base/random.h"

namespace moescope::label {
namespace {

// A table of independent random predicates with rates from rare to common.
struct World {
  std::size_t n_rows, n_explain, n_validation;
  std::vector<std::vector<std::uint32_t>> columns;
  PredicateTable table;

  World(std::size_t n, std::size_t n_predicates, std::uint64_t seed)
      : n_rows(n),
        n_explain(n * 6 / 10),
        n_validation(n * 2 / 10),
        columns(make(n, n_predicates, seed)),
        table(n, names(n_predicates), columns) {}

  static std::vector<Predicate> names(std::size_t n) {
    std::vector<Predicate> predicates(n);
    for (std::size_t p = 0; p < n; ++p) predicates[p].id = "p" + std::to_string(p);
    return predicates;
  }
  static std::vector<std::vector<std::uint32_t>> make(std::size_t n, std::size_t n_predicates, std::uint64_t seed) {
    std::vector<std::vector<std::uint32_t>> columns(n_predicates);
    Random random(seed);
    for (std::size_t p = 0; p < n_predicates; ++p) {
      const double rate = 0.01 + 0.4 * random.uniform() * random.uniform();
      for (std::uint32_t row = 0; row < n; ++row) {
        if (random.uniform() < rate) columns[p].push_back(row);
      }
    }
    return columns;
  }
  // Positive where the rule holds, but for a share of noise on both sides.
  Target target(const Rule& rule, double noise, std::uint64_t seed) const {
    const Bits rows = evaluate(rule, table);
    Random random(seed);
    Target target;
    for (std::uint32_t row = 0; row < n_rows; ++row) {
      const bool keep = random.uniform() >= noise;
      if (rows.test(row) ? keep : random.uniform() < noise * 0.02) target.positive.push_back(row);
    }
    return target;
  }
  // The honest loop.
  double f1(const Rule& rule, const Target& target, std::size_t begin, std::size_t end) const {
    std::vector<bool> positive(n_rows, false), judged(n_rows, true);
    for (std::uint32_t row : target.positive) positive[row] = true;
    for (std::uint32_t row : target.left_out) judged[row] = false;
    double hits = 0, predicted = 0, all = 0;
    for (std::size_t row = begin; row < end; ++row) {
      if (!judged[row]) continue;
      bool holds = false;
      for (const Term& term : rule.terms) {
        bool every = true;
        for (const Literal& literal : term) every = every && table.holds(literal.predicate, row) != literal.negated;
        holds = holds || every;
      }
      predicted += holds ? 1 : 0;
      all += positive[row] ? 1 : 0;
      hits += holds && positive[row] ? 1 : 0;
    }
    return predicted + all > 0 ? 2 * hits / (predicted + all) : 0;
  }
};

Literal is(std::uint32_t p) { return {p, false}; }
Literal is_not(std::uint32_t p) { return {p, true}; }

TEST(RuleSearch, EvaluatesRulesLikeALoop) {
  const World world(900, 12, 3);
  const Rule rule{{{is(1), is_not(2)}, {is(5)}, {is_not(7), is(8), is(9)}}};
  const Bits rows = evaluate(rule, world.table);
  for (std::size_t row = 0; row < world.n_rows; ++row) {
    const auto holds = [&](std::size_t p) { return world.table.holds(p, row); };
    EXPECT_EQ(rows.test(row), (holds(1) && !holds(2)) || holds(5) || (!holds(7) && holds(8) && holds(9)));
  }
  EXPECT_EQ(rule_text(rule, world.table), "(p1 and not p2) or (p5) or (not p7 and p8 and p9)");
}

TEST(RuleSearch, FindsPlantedRules) {
  const World world(20000, 200, 4);
  const std::vector<Rule> planted = {
      {{{is(17)}}},
      {{{is(3), is(60)}}},
      {{{is(5), is_not(90)}}},
      {{{is(11), is(12)}, {is(101)}}},
      {{{is(7), is(8), is_not(9)}, {is(33), is(34)}, {is(150)}}},
  };
  const RuleSearch search(world.table, world.n_explain, world.n_validation, {});
  for (std::size_t i = 0; i < planted.size(); ++i) {
    for (double noise : {0.0, 0.2}) {
      const Target target = world.target(planted[i], noise, i);
      const std::optional<Rule> found = search.find(target);
      ASSERT_TRUE(found.has_value());
      const std::size_t begin = world.n_explain + world.n_validation;
      const double truth = world.f1(planted[i], target, begin, world.n_rows);
      EXPECT_GT(world.f1(*found, target, begin, world.n_rows), truth - 0.04)
          << "planted " << rule_text(planted[i], world.table) << ", found " << rule_text(*found, world.table);
      if (i == 0) {
        EXPECT_EQ(*found, planted[i]) << "nothing needless is kept";
      }
    }
  }
}

TEST(RuleSearch, IsAtLeastAsGoodAsTheBestPairOfLiteralsByBruteForce) {
  const World world(1500, 25, 8);
  Rule planted{{{is(2), is_not(4)}}};
  Target target = world.target(planted, 0.3, 1);
  double best = 0;
  for (std::uint32_t a = 0; a < 25; ++a) {
    for (std::uint32_t b = 0; b < 25; ++b) {
      for (int signs = 0; signs < 4; ++signs) {
        const Rule pair{{{{a, (signs & 1) != 0}, {b, (signs & 2) != 0}}}};
        best = std::max(best, world.f1(pair, target, 0, world.n_explain));
      }
    }
  }
  SearchOptions options;
  options.max_terms = 1;
  options.max_literals = 2;
  options.literal_penalty = 0;
  const RuleSearch search(world.table, world.n_explain, 0, options);  // no validation: nothing is pruned
  const std::optional<Rule> found = search.find(target);
  ASSERT_TRUE(found.has_value());
  EXPECT_NEAR(world.f1(*found, target, 0, world.n_explain), best, 1e-12);
}

TEST(RuleSearch, LiteralsThatBringLessThanTheirPriceAreNotTaken) {
  const World world(20000, 200, 4);
  const Rule planted{{{is(3), is(60)}}};
  const Target target = world.target(planted, 0.0, 1);
  const RuleSearch search(world.table, world.n_explain, world.n_validation, {});
  const std::vector<double> dear = {0, 0, 0.95};
  ASSERT_EQ(search.find(target), planted);
  const std::optional<Rule> cheap = search.find(target, {dear, dear});
  ASSERT_TRUE(cheap.has_value());
  EXPECT_EQ(cheap->n_literals(), 1u);
}

TEST(RuleSearch, LeavesOutRowsCountForNothing) {
  const World world(8000, 60, 5);
  const Rule planted{{{is(4)}}};
  Target target = world.target(planted, 0.0, 2);
  // Everything that p9 marks besides is routed weakly: were it negative, p4 alone would not be exact.
  Target clean = target;
  std::vector<bool> positive(world.n_rows, false);
  for (std::uint32_t row : target.positive) positive[row] = true;
  target.positive.clear();
  for (std::uint32_t row = 0; row < world.n_rows; ++row) {
    if (positive[row] && world.table.holds(9, row)) {
      target.left_out.push_back(row);
    } else if (positive[row]) {
      target.positive.push_back(row);
    }
  }
  const RuleSearch search(world.table, world.n_explain, world.n_validation, {});
  EXPECT_EQ(search.find(target), planted);
  EXPECT_EQ(search.find(clean), planted);
}

TEST(RuleSearch, FindsNothingWhereThereIsNothing) {
  const World world(6000, 100, 6);
  Random random(3);
  Target target;
  for (std::uint32_t row = 0; row < world.n_rows; ++row) {
    if (random.below(10) == 0) target.positive.push_back(row);
  }
  const RuleSearch search(world.table, world.n_explain, world.n_validation, {});
  const std::optional<Rule> found = search.find(target);
  if (found) {
    const double always = 2 * 0.1 / 1.1;
    EXPECT_LT(world.f1(*found, target, world.n_explain + world.n_validation, world.n_rows), always + 0.05);
  }
  EXPECT_FALSE(search.find(Target()).has_value());
}

}  // namespace
}  // namespace moescope::label
