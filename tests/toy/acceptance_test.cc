// What the published analysis found in its own runs, in sizes that train in seconds.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "moescope/toy/measure.h"
#include "moescope/toy/sweep.h"
#include "moescope/toy/train.h"

namespace moescope::toy {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Trains every instance of the settings and measures it; no files.
std::vector<SweepInstance> trained(const SweepSettings& settings) {
  std::vector<SweepInstance> all = sweep_instances(settings);
  std::vector<Instance> instances;
  for (const SweepInstance& each : all) instances.push_back(each.instance);
  const SweepArchitecture& one = settings.architectures.front();
  const std::vector<TrainedInstance> results = train(one.architecture, one.training, instances, {});
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].trained = results[i];
    all[i].evaluation =
        evaluate(one.architecture, one.training, all[i].instance, all[i].trained.trained, settings.evaluation);
  }
  return all;
}

SweepSettings phase_settings(TieRule ties) {
  SweepSettings settings;
  SweepArchitecture& one = settings.architectures.emplace_back();
  one.architecture.name = "moe";
  one.architecture.n_experts = 2;
  one.architecture.ties = ties;
  one.training.n_steps = 5000;
  one.training.batch = 512;
  one.training.balance_coef = 0.01;
  settings.densities = {0.2, 0.1};
  settings.n_seeds = 8;
  return settings;
}

// (h) With ties to expert 0 all empty inputs go there, and the balance loss drives every other input away.
TEST(Acceptance, UnderTheAuthorsTieRuleOneExpertStarvesInSparsePhases) {
  std::vector<double> first_expert;
  for (const SweepInstance& each : trained(phase_settings(TieRule::kFirst))) {
    first_expert.push_back(each.evaluation.use_nonzero[0]);
  }
  EXPECT_LT(median(first_expert), 0.02);
  std::vector<double> smaller_share;
  for (const SweepInstance& each : trained(phase_settings(TieRule::kRandom))) {
    smaller_share.push_back(std::min(each.evaluation.use_nonzero[0], each.evaluation.use_nonzero[1]));
  }
  EXPECT_GT(median(smaller_share), 0.2);
}

// (c) in small: dense features per dimension are 1 for dense inputs and 2 on the plateau of antipodal pairs.
TEST(Acceptance, DenseModelsHoldOneFeatureADimensionAndTwoWhenInputsAreSparser) {
  SweepSettings settings;
  SweepArchitecture& one = settings.architectures.emplace_back();
  one.architecture.name = "dense";
  one.architecture.n_features = 20;
  one.architecture.n_dims = 4;
  one.training.n_steps = 4000;
  one.training.batch = 256;
  one.training.lr = 3e-3;
  settings.densities = {1, 0.3};  // as in the published run with n = 100, m = 20
  settings.n_seeds = 8;
  const std::vector<SweepInstance> all = trained(settings);
  std::vector<double> dense, sparse;
  for (const SweepInstance& each : all) {
    (each.instance.density == 1 ? dense : sparse).push_back(measure(settings, each).model.published);
  }
  EXPECT_NEAR(median(dense), 1, 0.03);
  EXPECT_NEAR(median(sparse), 2, 0.15);
}

}  // namespace
}  // namespace moescope::toy
