#include "moescope/stats/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>

#include "moescope/base/random.h"
#include "moescope/stats/interval.h"

namespace moescope::stats {
namespace {

TEST(Wilson, AgreesWithPublishedValues) {
  // Newcombe (1998), table I, method 3.
  const Estimate estimate = wilson_share(81, 263).value();
  EXPECT_NEAR(estimate.interval.low, 0.2553, 5e-5);
  EXPECT_NEAR(estimate.interval.high, 0.3662, 5e-5);
  const Estimate none = wilson_share(0, 20).value();
  EXPECT_NEAR(none.interval.low, 0.0, 1e-12);
  EXPECT_NEAR(none.interval.high, 0.1611, 5e-5);
}

TEST(Wilson, HasNoValueWithoutTrials) { EXPECT_FALSE(wilson_share(0, 0).has_value()); }

TEST(Percentiles, InterpolateLinearly) {
  std::vector<double> draws;
  for (int i = 100; i >= 0; --i) draws.push_back(i);
  const Interval interval = percentile_interval(draws);
  EXPECT_DOUBLE_EQ(interval.low, 2.5);
  EXPECT_DOUBLE_EQ(interval.high, 97.5);
}

TEST(Bootstrap, EveryResampleDrawsAsManyUnitsAsThereAre) {
  const Resamples resamples(37, 50, 3);
  const std::vector<double> ones(37, 1.0);
  for (double sum : resamples.weighted_sums(ones)) EXPECT_EQ(sum, 37.0);
}

TEST(Bootstrap, MeanIntervalMatchesTheClosedForm) {
  Random random(11);
  std::vector<double> values;
  double sum = 0, squares = 0;
  for (int i = 0; i < 400; ++i) {
    values.push_back(random.uniform());
    sum += values.back();
  }
  const double mean = sum / 400;
  for (double x : values) squares += (x - mean) * (x - mean);
  const double standard_error = std::sqrt(squares / 400) / std::sqrt(400.0);  // the bootstrap's own limit
  const Estimate estimate = bootstrap_mean(values, 4000, 5).value();
  EXPECT_DOUBLE_EQ(estimate.value, mean);
  EXPECT_NEAR(estimate.interval.low, mean - kNormalQuantile * standard_error, 0.12 * standard_error);
  EXPECT_NEAR(estimate.interval.high, mean + kNormalQuantile * standard_error, 0.12 * standard_error);
}

TEST(Bootstrap, F1DrawsEqualANaiveLoopOverDrawnUnits) {
  const Resamples resamples(9, 20, 17);
  Random random(4);
  UnitCounts counts;
  std::vector<double> positive;
  for (int u = 0; u < 9; ++u) {
    const double hits = static_cast<double>(random.below(5));
    counts.n_hits.push_back(hits);
    counts.n_predicted.push_back(hits + static_cast<double>(random.below(4)));
    positive.push_back(hits + static_cast<double>(random.below(3)));
  }
  const std::vector<double> draws = f1_draws(resamples, counts, positive);
  for (std::size_t r = 0; r < draws.size(); ++r) {
    double tp = 0, fp = 0, fn = 0;
    for (std::size_t u = 0; u < 9; ++u) {
      for (int k = 0; k < static_cast<int>(resamples.of_unit(static_cast<std::int64_t>(u))[r]); ++k) {
        tp += counts.n_hits[u];
        fp += counts.n_predicted[u] - counts.n_hits[u];
        fn += positive[u] - counts.n_hits[u];
      }
    }
    EXPECT_NEAR(draws[r], 2 * tp / (2 * tp + fp + fn), 1e-12);
  }
}

TEST(Bootstrap, CoversTheTruthAboutAsOftenAsItSays) {
  int n_covered = 0;
  const int n_trials = 400;
  for (int trial = 0; trial < n_trials; ++trial) {
    Random random(1000 + static_cast<std::uint64_t>(trial));
    std::vector<double> values(60);
    for (double& x : values) x = random.uniform();
    const Estimate estimate = bootstrap_mean(values, 400, static_cast<std::uint64_t>(trial)).value();
    n_covered += estimate.interval.low <= 0.5 && 0.5 <= estimate.interval.high ? 1 : 0;
  }
  EXPECT_GT(n_covered, static_cast<int>(0.90 * n_trials));
  EXPECT_LT(n_covered, static_cast<int>(0.985 * n_trials));
}

TEST(Bootstrap, GivesNoIntervalForAHandfulOfUnitsOrMissingDraws) {
  const Resamples few(4, 100, 1), enough(5, 100, 1);
  EXPECT_FALSE(interval_of_draws(few, std::vector<double>(100, 0.5)).has_value());
  EXPECT_TRUE(interval_of_draws(enough, std::vector<double>(100, 0.5)).has_value());
  std::vector<double> gaps(100, 0.5);
  for (std::size_t i = 0; i < 6; ++i) gaps[i] = std::nan("");
  EXPECT_FALSE(interval_of_draws(enough, gaps).has_value());
  EXPECT_FALSE(f1_score(0, 0, 0).has_value());
  EXPECT_FALSE(bootstrap_mean({}, 10, 1).has_value());
}

}  // namespace
}  // namespace moescope::stats
