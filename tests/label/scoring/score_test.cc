#include "moescope/label/scoring/score.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/label/label_fixture.h"

namespace moescope::label {
namespace {

struct Scored {
  TracedRun run = make_run(made_documents(40, 40, 7), 4, 2, {planted_router});
  TokenSplit split = split_tokens(run, {});
  std::vector<Target> targets = make_targets(run, run.routing(0), split, false);
  stats::Resamples resamples{split.n_units[2], 300, 5};
};

TEST(TestScorer, EqualsANaiveCountOverTestRows) {
  const Scored s;
  const Target& target = s.targets[1];
  Bits predicted(s.split.n_rows());
  for (std::size_t row = 0; row < s.split.n_rows(); row += 3) predicted.set(row);
  for (std::size_t i = 0; i < target.positive.size(); i += 2) predicted.set(target.positive[i]);
  const std::set<std::uint32_t> positive(target.positive.begin(), target.positive.end());
  const std::set<std::uint32_t> left_out(target.left_out.begin(), target.left_out.end());
  double tp = 0, fp = 0, fn = 0, n = 0, hit_left = 0, all_left = 0;
  for (std::uint32_t row = static_cast<std::uint32_t>(s.split.test_begin()); row < s.split.n_rows(); ++row) {
    if (left_out.contains(row)) {
      all_left += 1;
      hit_left += predicted.test(row) ? 1 : 0;
      continue;
    }
    n += 1;
    const bool y = positive.contains(row), yes = predicted.test(row);
    tp += y && yes ? 1 : 0;
    fp += !y && yes ? 1 : 0;
    fn += y && !yes ? 1 : 0;
  }
  const TestScorer scorer(s.split, s.resamples, target);
  const Score score = scorer.score(predicted);
  EXPECT_EQ(score.n, static_cast<std::int64_t>(n));
  EXPECT_EQ(score.n_positive, static_cast<std::int64_t>(tp + fn));
  EXPECT_DOUBLE_EQ(*score.precision, tp / (tp + fp));
  EXPECT_DOUBLE_EQ(*score.recall, tp / (tp + fn));
  EXPECT_DOUBLE_EQ(*score.f1, 2 * tp / (2 * tp + fp + fn));
  EXPECT_DOUBLE_EQ(*score.lift, tp / (tp + fp) / ((tp + fn) / n));
  EXPECT_LE(score.f1_interval->low, *score.f1);
  EXPECT_GE(score.f1_interval->high, *score.f1);
  EXPECT_DOUBLE_EQ(*scorer.left_out_share(predicted), hit_left / all_left);
  const double base = (tp + fn) / n;
  EXPECT_DOUBLE_EQ(*scorer.score_always().f1, 2 * base / (1 + base));
}

TEST(TestScorer, SilentPredictionsHaveNoPrecisionAndNoLift) {
  const Scored s;
  const Score score = TestScorer(s.split, s.resamples, s.targets[0]).score(Bits(s.split.n_rows()));
  EXPECT_FALSE(score.precision.has_value());
  EXPECT_FALSE(score.lift.has_value());
  EXPECT_DOUBLE_EQ(*score.f1, 0.0);
}

TEST(TestScorer, DifferencesArePaired) {
  const Scored s;
  const TestScorer scorer(s.split, s.resamples, s.targets[1]);
  Bits exact(s.split.n_rows()), worse(s.split.n_rows());
  for (std::uint32_t row : s.targets[1].positive) {
    exact.set(row);
    if (row % 4 != 0) worse.set(row);
  }
  const Score a = scorer.score(exact), b = scorer.score(worse);
  const ScoreDifference apart = *difference(s.resamples, a, b);
  EXPECT_DOUBLE_EQ(apart.mean, *a.f1 - *b.f1);
  EXPECT_TRUE(apart.above_zero());
  const ScoreDifference same = *difference(s.resamples, a, a);
  EXPECT_DOUBLE_EQ(same.interval->low, 0.0);
  EXPECT_DOUBLE_EQ(same.interval->high, 0.0);
  EXPECT_FALSE(same.above_zero());
}

TEST(Control, PiecesAreTheBestBySearchOverAllSets) {
  const Scored s;
  std::vector<std::int32_t> token_of_row;
  for (std::uint32_t t : s.split.token_of_row) token_of_row.push_back(s.run.tokens.token_id[t]);
  const auto f1_of = [&](const Target& target, const std::vector<std::int32_t>& pieces) {
    const Bits rows = rows_of_pieces(token_of_row, pieces);
    const std::set<std::uint32_t> left_out(target.left_out.begin(), target.left_out.end());
    const std::set<std::uint32_t> positive(target.positive.begin(), target.positive.end());
    double hits = 0, both = 0;
    for (std::uint32_t row = 0; row < s.split.n_explain; ++row) {
      if (left_out.contains(row)) continue;
      hits += rows.test(row) && positive.contains(row) ? 1 : 0;
      both += (rows.test(row) ? 1 : 0) + (positive.contains(row) ? 1 : 0);
    }
    return 2 * hits / both;
  };
  const Target& target = s.targets[0];
  const auto n = static_cast<std::int32_t>(s.run.pieces.size());
  double best = 0;
  for (std::int32_t a = 0; a < n; ++a) best = std::max(best, f1_of(target, {a}));
  const std::vector<std::int32_t> one = best_pieces(token_of_row, s.run.pieces.size(), s.split, target, 1);
  EXPECT_DOUBLE_EQ(f1_of(target, one), best);
  const std::vector<std::int32_t> three = best_pieces(token_of_row, s.run.pieces.size(), s.split, target, 3);
  ASSERT_EQ(three.size(), 3u);
  const PieceCurve curve = piece_curve(token_of_row, s.run.pieces.size(), s.split, target, 4);
  ASSERT_EQ(curve.explain.size(), 5u);
  EXPECT_DOUBLE_EQ(curve.explain[0], 0.0);
  EXPECT_DOUBLE_EQ(curve.explain[1], best);
  EXPECT_DOUBLE_EQ(curve.explain[3], f1_of(target, three));
  for (std::int32_t other = 0; other < n; ++other) {
    EXPECT_GE(f1_of(target, three) + 1e-12, f1_of(target, {three[0], three[1], other}));
  }
}

TEST(Control, HasFewerPiecesWhereTheExpertTakesFewer) {
  const Scored s;
  std::vector<std::int32_t> token_of_row(s.split.n_rows(), 0);
  EXPECT_EQ(best_pieces(token_of_row, 1, s.split, s.targets[1], 9).size(), 1u);
  EXPECT_TRUE(best_pieces(token_of_row, 1, s.split, Target(), 9).empty());
}

}  // namespace
}  // namespace moescope::label
