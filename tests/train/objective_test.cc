#include "moescope/train/objective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "moescope/base/error.h"

namespace moescope::train {
namespace {

model::Routing routing_of(const at::Tensor& logits, const at::Tensor& expert_ids) {
  model::Routing routing;
  routing.logits = logits;
  routing.probs = at::softmax(logits, -1);
  routing.expert_ids = expert_ids;
  return routing;
}

TEST(LoadBalanceLoss, IsOneForUniformRouting) {
  const at::Tensor ids = at::arange(8).view({4, 2});
  EXPECT_NEAR(load_balance_loss(routing_of(at::zeros({4, 8}), ids)).item<double>(), 1.0, 1e-6);
}

TEST(LoadBalanceLoss, IsTheNumberOfExpertsAtCollapse) {
  at::Tensor logits = at::zeros({5, 8});
  logits.select(1, 3).fill_(50.0);
  EXPECT_NEAR(load_balance_loss(routing_of(logits, at::full({5, 1}, 3, at::kLong))).item<double>(), 8.0, 1e-4);
}

TEST(RouterZLoss, IsTheMeanSquareOfLogSumExp) {
  const double z = std::log(std::exp(1.0) + std::exp(2.0));
  const at::Tensor logits = at::tensor({1.0, 2.0, 0.0, 0.0}).view({2, 2});
  EXPECT_NEAR(router_z_loss(logits).item<double>(), (z * z + std::log(2.0) * std::log(2.0)) / 2, 1e-6);
}

TEST(LrScale, WarmsUpThenFollowsHalfACosine) {
  EXPECT_DOUBLE_EQ(lr_scale(0, 101, 10, 0.1), 0.1);
  EXPECT_DOUBLE_EQ(lr_scale(9, 101, 10, 0.1), 1.0);
  EXPECT_DOUBLE_EQ(lr_scale(10, 101, 10, 0.1), 1.0);
  EXPECT_NEAR(lr_scale(55, 101, 10, 0.1), 0.55, 1e-12);
  EXPECT_NEAR(lr_scale(100, 101, 10, 0.1), 0.1, 1e-12);
}

TEST(AdamW, ReportsDivergence) {
  at::Tensor value = at::ones({2, 2}).requires_grad_(true);
  const std::vector<Parameter> parameters = {{model::Role::kRouter, 0, "w", value}};
  AdamW adamw(parameters, {});
  (value * std::nan("")).sum().backward();
  EXPECT_THROW(adamw.step(0.1), Error);
}

TEST(AdamW, DecaysMatricesAndNotVectors) {
  at::Tensor matrix = at::ones({2, 2}).requires_grad_(true);
  at::Tensor vector = at::ones({2}).requires_grad_(true);
  const std::vector<Parameter> parameters = {{model::Role::kRouter, 0, "m", matrix},
                                             {model::Role::kFinalNorm, -1, "v", vector}};
  OptimizerSettings settings;
  settings.weight_decay = 0.5;
  AdamW adamw(parameters, settings);
  ((matrix * 0).sum() + (vector * 0).sum()).backward();
  adamw.step(0.1);
  EXPECT_NEAR(matrix.max().item<double>(), 1 - 0.1 * 0.5, 1e-6);
  EXPECT_NEAR(vector.max().item<double>(), 1.0, 1e-7);
}

}  // namespace
}  // namespace moescope::train
