// Gradients against central differences of a float64 loss written here, and training that does not depend on company.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "moescope/base/error.h"
#include "moescope/toy/batched.h"
#include "moescope/toy/draws.h"
#include "moescope/toy/lanes.h"
#include "moescope/toy/train.h"
#include "tests/base/vector_targets.h"

namespace moescope::toy {
namespace {

using Values = std::vector<double>;  // W, b, G, one after the other

Values values_of(const Weights& weights) {
  Values all(weights.w.begin(), weights.w.end());
  all.insert(all.end(), weights.b.begin(), weights.b.end());
  all.insert(all.end(), weights.gate.begin(), weights.gate.end());
  return all;
}

// The training loss in float64, the definition word by word. Renormalized and switch gates, ties to the lower index.
double naive_loss(const Architecture& a, const Training& t, const Instance& instance, const Values& v) {
  const auto n = static_cast<std::size_t>(a.n_features), m = static_cast<std::size_t>(a.n_dims);
  const auto n_experts = static_cast<std::size_t>(a.n_experts);
  const double *w = v.data(), *b = w + n_experts * n * m, *gate = b + n_experts * n;
  std::vector<double> f(n_experts), mean_p(n_experts);
  double loss = 0;
  for (std::int64_t s = 0; s < t.batch; ++s) {
    std::vector<float> x(n);
    draw_input(input_layout(a), static_cast<float>(instance.density), instance.seed, Stream::kTraining, 0,
               static_cast<std::uint64_t>(s), x);
    std::vector<double> score(n_experts), g(n_experts);
    double sum = 0, chosen_sum = 0;
    for (std::size_t e = 0; e < n_experts; ++e) {
      for (std::size_t i = 0; i < n; ++i) score[e] += gate[e * n + i] * static_cast<double>(x[i]);
      sum += std::exp(score[e]);
    }
    std::vector<std::size_t> order(n_experts);
    for (std::size_t e = 0; e < n_experts; ++e) order[e] = e;
    std::stable_sort(order.begin(), order.end(), [&](auto p, auto q) { return score[p] > score[q]; });
    order.resize(static_cast<std::size_t>(a.n_active));
    for (const std::size_t e : order) chosen_sum += std::exp(score[e]);
    for (const std::size_t e : order) {
      g[e] = std::exp(score[e]) / (a.gate == GateKind::kSwitch ? sum : chosen_sum);
      f[e] += 1.0 / static_cast<double>(t.batch);
    }
    for (std::size_t e = 0; e < n_experts; ++e) mean_p[e] += std::exp(score[e]) / sum / static_cast<double>(t.batch);
    for (std::size_t i = 0; i < n; ++i) {
      double x_hat = 0;
      for (std::size_t e = 0; e < n_experts; ++e) {
        double z = b[e * n + i];
        for (std::size_t j = 0; j < m; ++j) {
          for (std::size_t k = 0; k < n; ++k) {
            z += w[(e * n + i) * m + j] * w[(e * n + k) * m + j] * static_cast<double>(x[k]);
          }
        }
        x_hat += g[e] * std::max(0.0, z);
      }
      const double error = static_cast<double>(x[i]) - x_hat;
      loss += static_cast<double>(instance.importance[i]) * error * error / static_cast<double>(t.batch);
    }
  }
  if (t.loss == LossKind::kMean) loss /= static_cast<double>(n);
  for (std::size_t e = 0; e < n_experts; ++e) {
    loss += t.balance_coef * static_cast<double>(a.n_experts) * f[e] * mean_p[e];
  }
  return loss;
}

struct GradientCase {
  const char* name;
  Architecture architecture;
  Training training;
};

Architecture shape(std::int64_t n, std::int64_t m, std::int64_t n_experts, std::int64_t n_active) {
  Architecture a;
  a.name = "a";
  a.n_features = n;
  a.n_dims = m;
  a.n_experts = n_experts;
  a.n_active = n_active;
  a.bias_init = BiasInit::kXavier;
  return a;
}

Training batch_of(std::int64_t batch, double balance_coef = 0) {
  Training t;
  t.batch = batch;
  t.balance_coef = balance_coef;
  return t;
}

Instance instance_of(const Architecture& a, double density, std::uint64_t seed) {
  Instance instance{density, {}, seed};
  for (std::int64_t i = 0; i < a.n_features; ++i) instance.importance.push_back(1.0F / static_cast<float>(i + 1));
  return instance;
}

std::vector<GradientCase> gradient_cases() {
  GradientCase one{"one_active", shape(4, 2, 3, 1), batch_of(64, 0.05)};
  GradientCase two{"two_active_with_balance", shape(5, 3, 4, 2), batch_of(60, 0.2)};
  GradientCase switched{"switch", shape(5, 2, 3, 1), batch_of(64)};
  switched.architecture.gate = GateKind::kSwitch;
  switched.training.loss = LossKind::kSum;
  GradientCase fixed{"kernel_of_its_own", shape(3, 2, 2, 1), batch_of(63, 0.01)};
  return {one, two, switched, fixed};
}

class Gradient : public testing::TestWithParam<GradientCase> {};

TEST_P(Gradient, EqualsCentralDifferences) {
  const auto& [name, a, t] = GetParam();
  const Instance instance = instance_of(a, 0.6, 17);
  const Values at = values_of(initial_weights(a, instance.seed));
  Values expected;
  double scale = 0;
  for (std::size_t q = 0; q < at.size(); ++q) {
    constexpr double kStep = 1e-6;
    Values low = at, high = at;
    low[q] -= kStep;
    high[q] += kStep;
    expected.push_back((naive_loss(a, t, instance, high) - naive_loss(a, t, instance, low)) / (2 * kStep));
    scale = std::max(scale, std::abs(expected.back()));
  }
  const std::vector<Instance> instances = {instance};
  for_each_vector_target([&] {
    const LaneKernels kernels = lane_kernels();
    LaneGroup group(a, t, instances, kernels.width);
    kernels.step(group.view(), 0);
    EXPECT_NEAR(group.loss(0), naive_loss(a, t, instance, at), 1e-6);
    const Values found = values_of(group.values(0, true));
    for (std::size_t q = 0; q < at.size(); ++q) {
      EXPECT_NEAR(found[q], expected[q], 1e-5 * scale) << kernels.name << " parameter " << q;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, Gradient, testing::ValuesIn(gradient_cases()),
                         [](const auto& each) { return std::string(each.param.name); });

// --- company ---

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void expect_equal_bits(const TrainedInstance& a, const TrainedInstance& b) {
  EXPECT_TRUE(equal_bits(a.trained.w, b.trained.w));
  EXPECT_TRUE(equal_bits(a.trained.b, b.trained.b));
  EXPECT_TRUE(equal_bits(a.trained.gate, b.trained.gate));
  EXPECT_EQ(a.last_batch_loss, b.last_batch_loss);
}

std::vector<Instance> different_instances(const Architecture& a, std::size_t n) {
  std::vector<Instance> instances;
  for (std::size_t i = 0; i < n; ++i) {
    instances.push_back(instance_of(a, 0.1 + 0.8 * static_cast<double>(i) / static_cast<double>(n), 100 + i));
  }
  return instances;
}

TEST(Lanes, ResultsDoNotDependOnPlaceCompanyOrThreads) {
  Architecture a = shape(3, 2, 3, 2);
  a.ties = TieRule::kRandom;
  Training t = batch_of(100, 0.01);
  t.n_steps = 60;
  const std::vector<Instance> instances = different_instances(a, 37);
  TrainOptions two_threads;
  two_threads.machine.n_threads = 2;
  const auto together = train(a, t, instances, two_threads);
  std::vector<Instance> reversed(instances.rbegin(), instances.rend());
  TrainOptions one_thread;
  one_thread.machine.n_threads = 1;
  const auto backwards = train(a, t, reversed, one_thread);
  for (std::size_t i = 0; i < instances.size(); ++i) {
    expect_equal_bits(together[i], backwards[instances.size() - 1 - i]);
  }
  const auto alone = train(a, t, std::span(instances).subspan(20, 1), one_thread);
  expect_equal_bits(together[20], alone[0]);
}

// The two implementations share only the draws; in hundreds of steps rounding stays rounding.
void expect_implementations_agree(const Architecture& a, const Training& t, double tolerance) {
  const std::vector<Instance> instances = different_instances(a, 5);
  TrainOptions options;
  options.loss_every = 50;
  const auto lanes = train(a, t, instances, options);
  options.implementation = Implementation::kBatched;
  const auto batched = train(a, t, instances, options);
  for (std::size_t i = 0; i < instances.size(); ++i) {
    ASSERT_EQ(lanes[i].loss_curve.size(), batched[i].loss_curve.size());
    for (std::size_t p = 0; p < lanes[i].loss_curve.size(); ++p) {
      EXPECT_EQ(lanes[i].loss_curve[p].step, batched[i].loss_curve[p].step);
      EXPECT_NEAR(lanes[i].loss_curve[p].loss, batched[i].loss_curve[p].loss, tolerance);
    }
    for (std::size_t q = 0; q < lanes[i].trained.w.size(); ++q) {
      EXPECT_NEAR(lanes[i].trained.w[q], batched[i].trained.w[q], 100 * tolerance);
    }
    EXPECT_NEAR(lanes[i].router_gradient_norm, batched[i].router_gradient_norm, 1e-4);
    EXPECT_NEAR(lanes[i].router_drift, batched[i].router_drift, 1e-3);
  }
}

TEST(Implementations, AgreeOverHundredsOfSteps) {
  Training t = batch_of(128, 0.01);
  t.n_steps = 300;
  Architecture phase = shape(2, 1, 2, 1);
  phase.ties = TieRule::kRandom;
  expect_implementations_agree(phase, t, 1e-5);
  expect_implementations_agree(shape(8, 3, 4, 2), t, 1e-5);
  Architecture frozen = shape(9, 4, 3, 1);
  frozen.gate = GateKind::kFrozen;
  frozen.ties = TieRule::kExcludeZero;
  expect_implementations_agree(frozen, t, 1e-5);
}

TEST(Implementations, BatchedGroupsDoNotMatterBeyondRounding) {
  const Architecture a = shape(4, 2, 2, 1);
  Training t = batch_of(64, 0.01);
  t.n_steps = 100;
  const std::vector<Instance> instances = different_instances(a, 6);
  const auto together = train_batched(a, t, instances, 100, "cpu");
  const auto alone = train_batched(a, t, std::span(instances).subspan(4, 1), 100, "cpu");
  EXPECT_NEAR(together[4].last_batch_loss, alone[0].last_batch_loss, 1e-6);
}

TEST(Batched, TrainsOnAGpuWhereThereIsOne) {
  const Architecture a = shape(4, 2, 3, 2);
  Training t = batch_of(64);
  t.n_steps = 50;
  const std::vector<Instance> instances = different_instances(a, 3);
  std::vector<TrainedInstance> on_gpu;
  try {
    on_gpu = train_batched(a, t, instances, 10, "cuda");
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const auto on_cpu = train_batched(a, t, instances, 10, "cpu");
  for (std::size_t i = 0; i < instances.size(); ++i) {
    EXPECT_NEAR(on_gpu[i].last_batch_loss, on_cpu[i].last_batch_loss, 1e-5);
  }
}

// --- divergence, dead routers ---

TEST(Training, ADivergedInstanceIsReportedAndTheOthersGoOn) {
  const Architecture a = shape(3, 2, 2, 1);
  Training t = batch_of(32);
  t.n_steps = 30;
  std::vector<Instance> instances = different_instances(a, 4);
  const auto undisturbed = train(a, t, instances, {});
  instances[1].importance[0] = 3e38F;
  for (const Implementation implementation : {Implementation::kLanes, Implementation::kBatched}) {
    TrainOptions options;
    options.implementation = implementation;
    const auto results = train(a, t, instances, options);
    ASSERT_TRUE(results[1].diverged_step.has_value());
    EXPECT_EQ(*results[1].diverged_step, 0);
    for (const std::size_t i : {0, 2, 3}) {
      EXPECT_FALSE(results[i].diverged_step.has_value());
      EXPECT_NEAR(results[i].last_batch_loss, undisturbed[i].last_batch_loss, 1e-6);
    }
  }
}

TEST(Training, AHugeLearningRateIsReportedAsDivergence) {
  const Architecture a = shape(3, 2, 2, 1);
  Training t = batch_of(32);
  t.n_steps = 50;
  t.lr = 1e20;
  for (const Implementation implementation : {Implementation::kLanes, Implementation::kBatched}) {
    TrainOptions options;
    options.implementation = implementation;
    for (const TrainedInstance& each : train(a, t, different_instances(a, 2), options)) {
      ASSERT_TRUE(each.diverged_step.has_value());
      EXPECT_LT(*each.diverged_step, 5);
    }
  }
}

// Acceptance test (a) of the published analysis: with one active expert, renormalized weights and no balance loss the
// gate only decays. (1 - 1e-3 * 1e-2)^2000 = 0.980.
TEST(Training, ARouterWithoutGradientOnlyDecays) {
  const Architecture a = shape(10, 2, 4, 1);
  Training t = batch_of(32);
  t.n_steps = 2000;
  EXPECT_FALSE(router_receives_gradient(a, t));
  const TrainedInstance result = train(a, t, different_instances(a, 1), {}).front();
  float largest = 0;
  for (const float value : result.initial.gate) largest = std::max(largest, std::abs(value));
  for (std::size_t q = 0; q < result.initial.gate.size(); ++q) {
    const double expected = std::pow(1 - 1e-5, 2000) * static_cast<double>(result.initial.gate[q]);
    EXPECT_NEAR(result.trained.gate[q], expected, 1e-4 * largest);
  }
  EXPECT_EQ(result.router_gradient_norm, 0);
  EXPECT_LT(result.router_drift, 1e-3);
  t.balance_coef = 0.01;
  EXPECT_TRUE(router_receives_gradient(a, t));
  EXPECT_GT(train(a, t, different_instances(a, 1), {}).front().router_gradient_norm, 1e-6);
}

}  // namespace
}  // namespace moescope::toy
