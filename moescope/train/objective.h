// What training minimises, and one optimiser step.
//
// loss = cross-entropy + load_balance_coef * L_lb + router_z_coef * L_z, where, over a model's layers with routers,
//   L_lb = mean over layers of E * sum_e f_e P_e   (Shazeer et al. 2017; Fedus et al. 2021; f_e: share of the
//          (token, slot) pairs sent to expert e, sums to 1, no gradient; P_e: mean router probability), 1 if uniform
//   L_z  = mean over layers and tokens of logsumexp(router logits)^2   (Zoph et al. 2022, ST-MoE).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "moescope/model/moe.h"
#include "moescope/train/parameters.h"
#include "moescope/train/settings.h"

namespace moescope::train {

struct Objective {
  at::Tensor total;          // scalar, differentiable
  at::Tensor cross_entropy;  // scalar f32, nats a token
  at::Tensor load_balance;   // scalar f32
  at::Tensor router_z;       // scalar f32
};

// tokens [B, T + 1] i64: positions 0..T-1 predict 1..T.
Objective objective(const model::LanguageModel& model, const at::Tensor& tokens, double load_balance_coef,
                    double router_z_coef);

// E * sum_e f_e P_e of one layer.
at::Tensor load_balance_loss(const model::Routing& routing);
// mean over tokens of logsumexp(logits)^2.
at::Tensor router_z_loss(const at::Tensor& router_logits);

// Linear warm-up to 1, then half a cosine to min_lr_frac at the last step; step counts from 0.
double lr_scale(std::int64_t step, std::int64_t n_steps, std::int64_t warmup_steps, double min_lr_frac);

// AdamW (Loshchilov and Hutter 2019) with global gradient clipping. Owns the moments.
class AdamW {
 public:
  AdamW(const std::vector<Parameter>& parameters, const OptimizerSettings& settings);

  // Clips the gradients to max_grad_norm, updates the parameters, clears the gradients. Returns the norm before
  // clipping. Throws kInput if it is not finite ("diverged").
  double step(double lr);

  std::int64_t n_steps() const { return n_steps_; }
  void set_n_steps(std::int64_t n) { n_steps_ = n; }
  std::vector<at::Tensor>& first_moments() { return first_; }
  std::vector<at::Tensor>& second_moments() { return second_; }

 private:
  OptimizerSettings settings_;
  std::vector<at::Tensor> values_, first_, second_;
  std::int64_t n_steps_ = 0;
};

}  // namespace moescope::train
