#include "moescope/stats/moments.h"

#include <gtest/gtest.h>

#include <vector>

#include "moescope/base/random.h"

namespace moescope::stats {
namespace {

// Two passes over kept values.
void naive(const std::vector<double>& values, double* mean, double* variance) {
  double sum = 0;
  for (double x : values) sum += x;
  *mean = sum / static_cast<double>(values.size());
  double squares = 0;
  for (double x : values) squares += (x - *mean) * (x - *mean);
  *variance = squares / static_cast<double>(values.size() - 1);
}

TEST(Moments, AgreeWithTwoPassesOnShiftedData) {
  Random random(7);
  std::vector<double> values;
  Moments moments;
  for (int i = 0; i < 5000; ++i) {
    values.push_back(random.uniform());
    moments.add(1e8 + values.back());  // the textbook sum of squares loses every digit here
  }
  double mean = 0, variance = 0;
  naive(values, &mean, &variance);
  EXPECT_NEAR(moments.mean() - 1e8, mean, 1e-6);
  EXPECT_NEAR(moments.variance(), variance, 1e-6);
  EXPECT_NEAR(moments.standard_error(), std::sqrt(variance / 5000), 1e-8);
}

TEST(Moments, MergedPartsEqualTheWhole) {
  Random random(8);
  Moments whole, parts[3], merged;
  for (int i = 0; i < 999; ++i) {
    const double x = random.uniform() * 10 - 3;
    whole.add(x);
    parts[i % 7 == 0 ? 0 : i % 2 + 1].add(x);
  }
  for (const Moments& part : parts) merged.merge(part);
  merged.merge(Moments());
  EXPECT_EQ(merged.n(), 999);
  EXPECT_NEAR(merged.mean(), whole.mean(), 1e-12);
  EXPECT_NEAR(merged.variance(), whole.variance(), 1e-11);
}

TEST(Moments, TooFewValuesAreNotANumber) {
  Moments moments;
  EXPECT_TRUE(std::isnan(moments.mean()));
  moments.add(3);
  EXPECT_EQ(moments.mean(), 3);
  EXPECT_TRUE(std::isnan(moments.variance()));
}

}  // namespace
}  // namespace moescope::stats
