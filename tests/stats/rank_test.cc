#include "moescope/stats/rank.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace moescope::stats {
namespace {

TEST(RankCorrelation, AgreesWithScipy) {
  // scipy.stats.spearmanr([3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8]) = 0.19885368120992467
  const std::vector<double> x = {3, 1, 4, 1, 5, 9, 2, 6}, y = {2, 7, 1, 8, 2, 8, 1, 8};
  EXPECT_NEAR(rank_correlation(x, y).value(), 0.19885368120992467, 1e-12);
  const std::vector<double> rising = {1, 10, 100}, falling = {3, 2, 1};
  EXPECT_DOUBLE_EQ(rank_correlation(rising, rising).value(), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(rising, falling).value(), -1);
}

TEST(RankCorrelation, HasNoValueForConstantsAndTwoPairs) {
  const std::vector<double> constant = {2, 2, 2}, rising = {1, 2, 3};
  EXPECT_FALSE(rank_correlation(constant, rising));
  EXPECT_FALSE(rank_correlation(std::vector<double>{1, 2}, std::vector<double>{1, 2}));
}

TEST(ExpectedMax, EqualsTheMeanOverEveryChoice) {
  const std::vector<std::vector<double>> groups = {{0.1, 0.7, 0.7}, {}, {0.5}, {0.2, 0.9, 0.4, 0.7}};
  double sum = 0;
  int n = 0;
  for (const double a : groups[0]) {
    for (const double b : groups[2]) {
      for (const double c : groups[3]) {
        sum += std::max({a, b, c});
        ++n;
      }
    }
  }
  EXPECT_NEAR(expected_max(groups).value(), sum / n, 1e-12);
  EXPECT_FALSE(expected_max({{}, {}}));
  EXPECT_DOUBLE_EQ(expected_max({{0.3}, {0.6}}).value(), 0.6);
}

}  // namespace
}  // namespace moescope::stats
