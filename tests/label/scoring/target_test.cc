#include "moescope/label/scoring/target.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/label/label_fixture.h"

namespace moescope::label {
namespace {

TEST(Target, ThresholdIsTheSmallestOfTheStrongestThatCarryHalf) {
  EXPECT_EQ(half_score_threshold({1, 2, 3, 4}), 3.0f);  // 4 + 3 of 10; 4 alone is not half
  EXPECT_EQ(half_score_threshold({5, 1, 1, 1, 1, 1}), 5.0f);
  EXPECT_EQ(half_score_threshold({2, 2}), 2.0f);
  EXPECT_TRUE(std::isinf(half_score_threshold({})));
  EXPECT_TRUE(std::isinf(half_score_threshold({0, 0})));
}

TEST(Target, IsSetOnTheExplainPartAloneAndThenHoldsEverywhere) {
  const TracedRun run = make_run(made_documents(30, 40, 1), 4, 2, {planted_router});
  const TokenSplit split = split_tokens(run, {});
  LayerRouting routing = run.routing(0);
  const std::vector<Target> before = make_targets(run, routing, split, false);
  // Scores of test tokens change nothing about the threshold.
  for (std::size_t row = split.test_begin(); row < split.n_rows(); ++row) {
    for (std::size_t i = 0; i < 2; ++i) routing.scores[split.token_of_row[row] * 2 + i] *= 100;
  }
  const std::vector<Target> after = make_targets(run, routing, split, false);
  for (std::size_t e = 0; e < 4; ++e) {
    EXPECT_EQ(before[e].threshold, after[e].threshold);
    EXPECT_GE(after[e].positive.size(), before[e].positive.size());
  }
}

TEST(Target, PartsEveryRoutedTokenAndNoOther) {
  const TracedRun run = make_run(made_documents(30, 40, 2), 4, 2, {planted_router});
  const TokenSplit split = split_tokens(run, {});
  const LayerRouting routing = run.routing(0);
  const std::vector<Target> half = make_targets(run, routing, split, false);
  const std::vector<Target> any = make_targets(run, routing, split, true);
  for (std::size_t e = 0; e < 4; ++e) {
    std::set<std::uint32_t> routed;
    for (std::size_t row = 0; row < split.n_rows(); ++row) {
      for (std::size_t i = 0; i < 2; ++i) {
        if (routing.expert_ids[split.token_of_row[row] * 2 + i] == static_cast<int>(e)) {
          routed.insert(static_cast<std::uint32_t>(row));
        }
      }
    }
    std::set<std::uint32_t> found(half[e].positive.begin(), half[e].positive.end());
    for (std::uint32_t row : half[e].left_out) EXPECT_TRUE(found.insert(row).second);
    EXPECT_EQ(found, routed);
    EXPECT_EQ(any[e].positive.size(), routed.size());
    EXPECT_TRUE(any[e].left_out.empty());
    double strong = 0, all = 0;
    for (std::size_t row = 0; row < split.n_explain; ++row) {
      for (std::size_t i = 0; i < 2; ++i) {
        const std::size_t at = split.token_of_row[row] * 2 + i;
        if (routing.expert_ids[at] != static_cast<int>(e)) continue;
        all += static_cast<double>(routing.scores[at]);
        if (routing.scores[at] >= half[e].threshold) strong += static_cast<double>(routing.scores[at]);
      }
    }
    EXPECT_GE(strong, 0.5 * all);
    EXPECT_LT(strong, 0.6 * all);
  }
}

TEST(Target, OfASharedExpertPartsAllTokensByScore) {
  TracedRun run = make_run(made_documents(30, 40, 2), 4, 2, {planted_router});
  add_shared_expert(run, [](const TracedRun&, std::size_t t) { return static_cast<float>(1 + hash64(7, t) % 9); });
  const TokenSplit split = split_tokens(run, {});
  const LayerRouting routing = run.routing(0);
  for (const bool any_routing : {false, true}) {  // a target of every token would tell nothing
    const std::vector<Target> targets = make_targets(run, routing, split, any_routing);
    ASSERT_EQ(targets.size(), 5u);
    const Target& shared = targets[4];
    EXPECT_EQ(shared.n_routed, static_cast<std::int64_t>(split.n_rows()));
    EXPECT_TRUE(shared.left_out.empty());
    const std::set<std::uint32_t> positive(shared.positive.begin(), shared.positive.end());
    double strong = 0, all = 0;
    for (std::size_t row = 0; row < split.n_rows(); ++row) {
      const float score = routing.shared_scores[split.token_of_row[row]];
      EXPECT_EQ(positive.contains(static_cast<std::uint32_t>(row)), score >= shared.threshold);
      if (row >= split.n_explain) continue;
      all += static_cast<double>(score);
      if (score >= shared.threshold) strong += static_cast<double>(score);
    }
    EXPECT_GE(strong, 0.5 * all);
    EXPECT_LT(strong, 0.75 * all);  // scores are whole numbers from 1 to 9: the last one counts as a whole
    EXPECT_EQ(targets[0].positive, make_targets(make_run(made_documents(30, 40, 2), 4, 2, {planted_router}),
                                                {routing.expert_ids, routing.scores, {}}, split, any_routing)[0]
                                       .positive);
  }
}

TEST(TokenSplit, KeepsDocumentsWholeAndDomainsInEveryPart) {
  const TracedRun run = make_run(made_documents(60, 30, 3), 4, 2, {planted_router});
  const TokenSplit split = split_tokens(run, {});
  EXPECT_EQ(split.unit, "document");
  EXPECT_EQ(split.n_explain + split.n_validation + split.n_test, run.tokens.size());
  std::array<std::set<std::int32_t>, 3> documents;
  std::array<std::set<std::string>, 3> domains;
  std::set<std::uint32_t> tokens;
  for (std::size_t row = 0; row < split.n_rows(); ++row) {
    const std::size_t part = row < split.n_explain ? 0 : row < split.test_begin() ? 1 : 2;
    const std::int32_t doc = run.tokens.doc_idx[split.token_of_row[row]];
    documents[part].insert(doc);
    domains[part].insert(run.documents[static_cast<std::size_t>(doc)].domain);
    EXPECT_TRUE(tokens.insert(split.token_of_row[row]).second);
  }
  for (std::size_t a = 0; a < 3; ++a) {
    EXPECT_EQ(documents[a].size(), static_cast<std::size_t>(split.n_units[a]));
    EXPECT_EQ(domains[a], (std::set<std::string>{"even", "odd"}));
    for (std::size_t b = 0; b < a; ++b) {
      for (std::int32_t doc : documents[a]) EXPECT_FALSE(documents[b].contains(doc));
    }
  }
  const auto share = [&](std::size_t n) { return static_cast<double>(n) / static_cast<double>(run.tokens.size()); };
  EXPECT_NEAR(share(split.n_explain), 0.5, 0.04);
  EXPECT_NEAR(share(split.n_validation), 0.2, 0.04);
  EXPECT_EQ(split.test_unit.size(), split.n_test);
  SplitOptions other;
  other.seed = 2;
  EXPECT_NE(split_tokens(run, other).token_of_row, split.token_of_row);
}

TEST(TokenSplit, OfOneDocumentIsByContext) {
  const TracedRun run = make_run(made_documents(1, 3000, 3), 4, 2, {planted_router}, 50);
  const TokenSplit split = split_tokens(run, {});
  EXPECT_EQ(split.unit, "context");
  EXPECT_GT(split.n_units[2], 10);
  EXPECT_GT(split.n_test, 0u);
}

}  // namespace
}  // namespace moescope::label
