#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/stats/clustered.h"
#include "moescope/stats/phase.h"

namespace moescope::stats {
namespace {

using testing::ElementsAre;

using Row = std::vector<std::optional<double>>;

TEST(PhaseMap, JumpIsTheLargestStepBetweenNeighbours) {
  EXPECT_DOUBLE_EQ(largest_jump(Row{0, 0.1, 0.9, 1}).value(), 0.8);
  EXPECT_DOUBLE_EQ(largest_jump(Row{1, 0.25}).value(), 0.75);
  // A gap is no step.
  EXPECT_DOUBLE_EQ(largest_jump(Row{0, std::nullopt, 1, 0.75}).value(), 0.25);
  EXPECT_FALSE(largest_jump(Row{0, std::nullopt, 1}));
  EXPECT_FALSE(largest_jump(Row{1}));
}

TEST(PhaseMap, ExcessVariationIsZeroForMonotoneRowsAndCountsNoise) {
  EXPECT_NEAR(excess_variation(Row{0, 0.5, 0.6, 1}).value(), 0, 1e-12);
  EXPECT_NEAR(excess_variation(Row{1, 0.2, 0}).value(), 0, 1e-12);
  EXPECT_NEAR(excess_variation(Row{0, 1, 0.5, 1}).value(), 1, 1e-12);
  EXPECT_NEAR(excess_variation(Row{0, std::nullopt, 1, 0}).value(), 2, 1e-12);
  EXPECT_FALSE(excess_variation(Row{std::nullopt, 1}));
}

TEST(PhaseMap, DisagreementCountsEveryPairOfNeighboursOnce) {
  constexpr auto a = FeatureClass::kIgnored, b = FeatureClass::kSuperposed;
  using Classes = std::vector<std::optional<FeatureClass>>;
  // a b / a a: pairs ab, aa (row), aa, ba (columns): 2 of 4.
  EXPECT_DOUBLE_EQ(neighbour_disagreement(Classes{a, b, a, a}, 2, 2).value(), 0.5);
  EXPECT_DOUBLE_EQ(neighbour_disagreement(Classes{a, b, a, b}, 1, 4).value(), 1);
  EXPECT_DOUBLE_EQ(neighbour_disagreement(Classes{a, b, a, b}, 4, 1).value(), 1);
  EXPECT_DOUBLE_EQ(neighbour_disagreement(Classes{a, std::nullopt, a, a}, 2, 2).value(), 0);
  EXPECT_FALSE(neighbour_disagreement(Classes{a}, 1, 1));
  EXPECT_THROW(neighbour_disagreement(Classes{a, b}, 2, 2), Error);
  EXPECT_THROW(neighbour_disagreement(Classes{a, b}, -1, -2), Error);
}

TEST(PhaseMap, RolesFollowTheRouterNotTheIndex) {
  const std::vector<float> gate = {0.1f, 0.2f, 0.9f, 0.8f, 0.5f, 0.8f};  // [3, 2]
  EXPECT_THAT(experts_by_role(gate, 3, 2, 1), ElementsAre(1, 2, 0));     // a tie goes to the lower index
  EXPECT_THAT(experts_by_role(gate, 3, 2, 0), ElementsAre(1, 2, 0));
  EXPECT_THROW(experts_by_role(gate, 3, 2, 2), Error);
  EXPECT_THROW(experts_by_role(gate, 2, 2, 0), Error);
  EXPECT_THROW(experts_by_role(std::vector<float>{NAN, 1}, 2, 1, 0), Error);
}

TEST(PhaseMap, ColoursAreWhiteBlueAndRedAtTheCorners) {
  const auto rgb = [](const Color& color) { return std::vector<double>{color.red, color.green, color.blue}; };
  EXPECT_THAT(rgb(phase_color(0, 0, 1, 2)), ElementsAre(1, 1, 1));
  EXPECT_THAT(rgb(phase_color(1, 0, 1, 2)), ElementsAre(0, 0, 1));
  EXPECT_THAT(rgb(phase_color(1, 2, 1, 2)), ElementsAre(1, 0, 0));
  // The same cell under two panel maxima (published panels: 1.27 and 2.55, 2.43 and 6.17).
  EXPECT_GT(phase_color(1, 1, 2.43, 6.17).blue, phase_color(1, 1, 1.27, 2.55).blue);
  EXPECT_THAT(rgb(phase_color(0, 0, 0, 0)), ElementsAre(1, 1, 1));
  EXPECT_THROW(phase_color(-1, 0, 1, 1), Error);
  EXPECT_THROW(phase_color(std::numeric_limits<double>::quiet_NaN(), 0, 1, 1), Error);
}

TEST(Clustered, EqualsTheMeanAndWidensWhereClustersAgreeWithin) {
  // 8 clusters of 50 equal values each: the interval is that of 8 values, not of 400.
  std::vector<double> values;
  std::vector<std::int64_t> cluster, alone;
  Random random(5);
  for (std::int64_t c = 0; c < 8; ++c) {
    const double value = random.uniform();
    for (int i = 0; i < 50; ++i) {
      values.push_back(value);
      cluster.push_back(100 - c);
      alone.push_back(static_cast<std::int64_t>(alone.size()));
    }
  }
  double sum = 0;
  for (const double value : values) sum += value;
  const ClusterEstimate clustered = clustered_mean(values, cluster).value();
  const ClusterEstimate independent = clustered_mean(values, alone).value();
  EXPECT_NEAR(clustered.estimate.value, sum / 400, 1e-12);
  EXPECT_EQ(clustered.n_clusters, 8);
  EXPECT_EQ(clustered.estimate.n, 400);
  const auto width = [](const ClusterEstimate& e) { return e.estimate.interval.high - e.estimate.interval.low; };
  EXPECT_NEAR(width(clustered) / width(independent), std::sqrt(50), 1);
}

TEST(Clustered, RatioIsThatOfMeansAndNeedsABaseline) {
  const std::vector<double> values = {0.4, 0.2}, baseline = {0.1, 0.1}, zeros = {0, 0};
  const std::vector<std::int64_t> cluster = {1, 2};
  const ClusterEstimate lift = clustered_ratio(values, baseline, cluster).value();
  EXPECT_NEAR(lift.estimate.value, 3, 1e-12);
  EXPECT_FALSE(lift.has_interval);  // two clusters
  EXPECT_FALSE(clustered_ratio(values, zeros, cluster));
  EXPECT_FALSE(clustered_mean({}, {}));
  EXPECT_THROW(clustered_mean(values, std::vector<std::int64_t>{1}), Error);
  EXPECT_THROW(clustered_mean(std::vector<double>{NAN, 1}, cluster), Error);
}

}  // namespace
}  // namespace moescope::stats
