// Held-out measurements against closed forms and counts.
#include "moescope/toy/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "moescope/base/error.h"
#include "moescope/toy/draws.h"
#include "moescope/toy/train.h"

namespace moescope::toy {
namespace {

using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;

Architecture shape(std::int64_t n, std::int64_t m, std::int64_t n_experts = 1, std::int64_t n_active = 1) {
  Architecture a;
  a.name = "a";
  a.n_features = n;
  a.n_dims = m;
  a.n_experts = n_experts;
  a.n_active = n_active;
  return a;
}

Instance instance_of(const Architecture& a, double density, std::uint64_t seed = 5) {
  return {density, std::vector<float>(static_cast<std::size_t>(a.n_features), 1.0F), seed};
}

Weights zeros(const Architecture& a) {
  const auto n_b = static_cast<std::size_t>(a.n_experts * a.n_features);
  return {std::vector<float>(n_b * static_cast<std::size_t>(a.n_dims)), std::vector<float>(n_b),
          std::vector<float>(n_b)};
}

constexpr EvaluationOptions kMany{.n_samples = 40000, .density = 0};

TEST(Evaluate, WithoutWeightsTheLossIsTheSecondMoment) {
  const Architecture a = shape(3, 2);
  Instance instance = instance_of(a, 0.4);
  instance.importance = {1, 0.5, 2};
  Training training;
  const Evaluation mean = evaluate(a, training, instance, zeros(a), kMany);
  EXPECT_NEAR(mean.loss, 0.4 / 3 * 3.5 / 3, 0.002);  // E x^2 = p / 3
  EXPECT_EQ(mean.n_samples, 40000);
  EXPECT_NEAR(static_cast<double>(mean.n_nonzero) / 40000, 1 - 0.6 * 0.6 * 0.6, 0.01);
  // 1 - E x^2 / Var x with Var x = p/3 - p^2/4
  for (const double r2 : mean.r2) EXPECT_NEAR(r2, 1 - (0.4 / 3) / (0.4 / 3 - 0.04), 0.03);
  training.loss = LossKind::kSum;
  EXPECT_NEAR(evaluate(a, training, instance, zeros(a), kMany).loss, 3 * mean.loss, 1e-12);
}

TEST(Evaluate, TheIdentityExplainsEverything) {
  const Architecture a = shape(3, 3);
  Weights weights = zeros(a);
  for (std::size_t i = 0; i < 3; ++i) weights.w[4 * i] = 1;
  const Evaluation result = evaluate(a, {}, instance_of(a, 0.5), weights, kMany);
  EXPECT_NEAR(result.loss, 0, 1e-14);
  EXPECT_THAT(result.r2, Each(DoubleNear(1, 1e-12)));
  EXPECT_THAT(result.use, ElementsAre(1));
  EXPECT_THAT(result.gain, Each(1));
}

// x_hat = ReLU(W W^T x): with rows 1 and -1 each feature is put back when it is alone, and the larger one less the
// other.
TEST(Evaluate, AnAntipodalPairInterferesOnlyWhereBothAreOn) {
  const Architecture a = shape(2, 1);
  Weights weights = zeros(a);
  weights.w = {1, -1};
  const Instance instance = instance_of(a, 0.3);
  EXPECT_THAT(forward(a, instance, weights, std::vector<float>{0.5F, 0}, 0).x_hat, ElementsAre(0.5, 0));
  EXPECT_THAT(forward(a, instance, weights, std::vector<float>{0.25F, 0.75F}, 0).x_hat, ElementsAre(0, 0.5));
  // Both on with probability p^2; then both errors are min(x_0, x_1) with second moment 1/6: the mean of both is p^2
  // / 6.
  EXPECT_NEAR(evaluate(a, {}, instance, weights, kMany).loss, 0.09 / 6, 0.001);
}

TEST(Evaluate, UseAndConditionalUseOfARouterThatComparesTwoFeatures) {
  Architecture a = shape(2, 1, 2);
  Weights weights = zeros(a);
  weights.gate = {1, 0, 0, 1};  // the larger feature decides
  const double p = 0.4;
  const Evaluation result = evaluate(a, {}, instance_of(a, p), weights, kMany);
  const double zero = (1 - p) * (1 - p), one = p * (1 - p) + p * p / 2;
  EXPECT_NEAR(result.use[0], zero + one, 0.01);  // x = 0 is a tie: the lower index
  EXPECT_NEAR(result.use[1], one, 0.01);
  EXPECT_NEAR(result.use_nonzero[0], 0.5, 0.01);
  EXPECT_NEAR(result.use_given_feature[0], (1 - p) + p / 2, 0.01);  // P(expert 0 | x_0 > 0)
  EXPECT_NEAR(result.use_given_feature[1], p / 2, 0.01);            // P(expert 0 | x_1 > 0)
  EXPECT_NEAR(result.density_in_expert[0], one / (zero + one), 0.01);
  a.ties = TieRule::kExcludeZero;
  const Evaluation excluded = evaluate(a, {}, instance_of(a, p), weights, kMany);
  EXPECT_NEAR(excluded.use[0], one, 0.01);
  EXPECT_NEAR(excluded.use[0] + excluded.use[1], 1 - zero, 0.01);
  a.ties = TieRule::kRandom;
  const Evaluation random = evaluate(a, {}, instance_of(a, p), weights, kMany);
  EXPECT_NEAR(random.use[0], 0.5, 0.01);
}

TEST(Evaluate, RandomTiesShareEvenlyAmongThree) {
  Architecture a = shape(2, 1, 3, 2);
  a.ties = TieRule::kRandom;
  const Evaluation result = evaluate(a, {}, instance_of(a, 0.5), zeros(a), kMany);
  EXPECT_THAT(result.use, Each(DoubleNear(2.0 / 3, 0.01)));
}

TEST(Evaluate, AnExpertThatIsNeverUsedHasNoNumbers) {
  const Architecture a = shape(2, 1, 2);
  const Evaluation result = evaluate(a, {}, instance_of(a, 0.5), zeros(a), {});
  EXPECT_EQ(result.use[1], 0);
  EXPECT_TRUE(std::isnan(result.gain[2]));               // expert 1, feature 0
  EXPECT_TRUE(std::isnan(result.density_in_expert[2]));  // no input reached it
  EXPECT_EQ(result.use_given_feature[2], 0);             // a share of inputs with the feature on: known, and 0
}

TEST(Evaluate, GainsAreTheAppliedWeights) {
  Architecture a = shape(2, 1, 2, 1);
  a.gate = GateKind::kSwitch;
  Weights weights = zeros(a);
  weights.gate = {1, 1, -1, -1};
  const Instance instance = instance_of(a, 1);
  const Forward one = forward(a, instance, weights, std::vector<float>{0.25F, 0.25F}, 0);
  EXPECT_NEAR(one.gate[0], 1 / (1 + std::exp(-1.0)), 1e-12);
  EXPECT_EQ(one.gate[1], 0);
  // Mean of 1 / (1 + exp(-2 (x + y))) for x, y uniform: by the midpoint rule.
  double expected = 0;
  for (int i = 0; i < 200; ++i) {
    for (int j = 0; j < 200; ++j) expected += 1 / (1 + std::exp(-2 * ((i + 0.5) / 200 + (j + 0.5) / 200))) / 40000;
  }
  const Evaluation result = evaluate(a, {}, instance, weights, kMany);
  EXPECT_NEAR(result.gain[0], expected, 0.002);
  EXPECT_NEAR(result.mean_gate[0], expected, 0.002);
  a.gate = GateKind::kHash;
  a.n_active = 2;
  EXPECT_THAT(forward(a, instance, weights, std::vector<float>{0.25F, 0}, 0).gate, ElementsAre(0.5, 0.5));
}

TEST(Evaluate, TheHashRouterLooksAtWhichFeaturesAreOnOnly) {
  Architecture a = shape(8, 2, 4);
  a.gate = GateKind::kHash;
  const Instance instance = instance_of(a, 0.5);
  const Weights weights = initial_weights(a, instance.seed);
  std::vector<float> x = {0.1F, 0, 0.5F, 0, 0, 0.9F, 0, 0}, y = {0.7F, 0, 0.2F, 0, 0, 0.1F, 0, 0};
  EXPECT_EQ(forward(a, instance, weights, x, 0).in_k, forward(a, instance, weights, y, 0).in_k);
  for (const double use : evaluate(a, {}, instance, weights, kMany).use) EXPECT_NEAR(use, 0.25, 0.1);
}

TEST(Evaluate, OnlyTheLargestActivationsAreKept) {
  Architecture a = shape(3, 3);
  a.n_top_activations = 1;
  Weights weights = zeros(a);
  for (std::size_t i = 0; i < 3; ++i) weights.w[4 * i] = 1;
  const Forward result = forward(a, instance_of(a, 1), weights, std::vector<float>{0.25F, 0.75F, 0.5F}, 0);
  EXPECT_THAT(result.x_hat, ElementsAre(0, 0.75, 0));
}

TEST(ExpertUse, SaysWhatAttractsAnExpert) {
  const Architecture a = shape(4, 1, 2);
  Weights weights = zeros(a);
  weights.gate = {1, 1, 0, 0, 0, 0, 1, 1};
  const Instance instance = instance_of(a, 0.1);
  const EvaluationOptions options{.n_samples = 20000, .density = 0};
  const Evaluation measured = evaluate(a, {}, instance, weights, options);
  EXPECT_EQ(expert_use(a, instance, weights, options, {}), measured.use);
  EXPECT_THAT(expert_use(a, instance, weights, options, {{}, {2}}),
              ElementsAre(DoubleNear(0, 1e-3), DoubleNear(1, 1e-3)));
  // Feature 2 clamped to 1: expert 0 wins only if x_0 + x_1 > 1 + x_3: both on (0.01), sum above 1 (half of them).
  EXPECT_NEAR(expert_use(a, instance, weights, options, {{2}, {}})[0], 0.005, 0.003);
  EXPECT_THROW(expert_use(a, instance, weights, options, {{4}, {}}), Error);
}

TEST(Draws, FeaturesAreActiveWithTheirDensityAndUniform) {
  const Architecture a = shape(3, 1);
  std::vector<float> x(3);
  double active = 0, sum = 0;
  for (std::uint64_t s = 0; s < 20000; ++s) {
    draw_input(input_layout(a), 0.2F, 9, Stream::kTraining, 7, s, x);
    for (const float value : x) {
      EXPECT_TRUE(value >= 0 && value <= 1);
      active += value > 0 ? 1 : 0;
      sum += static_cast<double>(value);
    }
  }
  EXPECT_NEAR(active / 60000, 0.2, 0.005);
  EXPECT_NEAR(sum / active, 0.5, 0.01);
}

TEST(Draws, GroupsCorrelateByTheirCorrelationAndKeepTheDensity) {
  Architecture a = shape(4, 1);
  a.group_size = 2;
  a.group_correlation = 0.5;
  std::vector<float> x(4);
  constexpr int kN = 60000;
  double first = 0, both = 0, across = 0;
  for (std::uint64_t s = 0; s < kN; ++s) {
    draw_input(input_layout(a), 0.3F, 9, Stream::kTraining, 0, s, x);
    first += x[0] > 0 ? 1 : 0;
    both += x[0] > 0 && x[1] > 0 ? 1 : 0;
    across += x[0] > 0 && x[2] > 0 ? 1 : 0;
  }
  EXPECT_NEAR(first / kN, 0.3, 0.008);
  EXPECT_NEAR((both / kN - 0.09) / (0.3 * 0.7), 0.5, 0.03);
  EXPECT_NEAR((across / kN - 0.09) / (0.3 * 0.7), 0, 0.03);
}

TEST(Draws, InitialValuesHaveTheStatedSpread) {
  Architecture a = shape(100, 10, 10);
  a.bias_init = BiasInit::kXavier;
  const Weights weights = initial_weights(a, 3);
  const auto sd = [](const std::vector<float>& values) {
    double sum = 0;
    for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
    return std::sqrt(sum / static_cast<double>(values.size()));
  };
  EXPECT_NEAR(sd(weights.w), std::sqrt(2.0 / (110 * 10)), 0.001);
  EXPECT_NEAR(sd(weights.b), std::sqrt(2.0 / 110), 0.008);
  EXPECT_NEAR(sd(weights.gate), std::sqrt(2.0 / 110), 0.008);
  a.weight_init = WeightInit::kPerExpert;
  EXPECT_NEAR(sd(initial_weights(a, 3).w), std::sqrt(2.0 / 110), 0.003);
  a.gate_init = GateInit::kShuffledBlocks;
  const Weights blocks = initial_weights(a, 3);
  for (std::size_t i = 0; i < 100; ++i) {
    float column = 0;
    for (std::size_t e = 0; e < 10; ++e) column += blocks.gate[e * 100 + i];
    EXPECT_EQ(column, 1);
  }
  EXPECT_NE(blocks.gate, initial_weights(a, 4).gate);
}

}  // namespace
}  // namespace moescope::toy
