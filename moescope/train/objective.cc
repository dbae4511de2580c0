#include "moescope/train/objective.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "moescope/base/error.h"

namespace moescope::train {

at::Tensor load_balance_loss(const model::Routing& routing) {
  const std::int64_t n_experts = routing.probs.size(1);
  const at::Tensor flat = routing.expert_ids.reshape({-1});
  const at::Tensor share = at::bincount(flat, {}, n_experts).to(at::kFloat) / static_cast<double>(flat.size(0));
  return (share * routing.probs.mean(0)).sum() * static_cast<double>(n_experts);
}

at::Tensor router_z_loss(const at::Tensor& router_logits) { return router_logits.logsumexp(-1).square().mean(); }

namespace {

// Keeps what the routers of a forward pass decide, in the order of their layers.
class Routings : public model::LayerObserver {
 public:
  void on_routing(const model::Routing& routing) override { all.push_back(routing); }
  std::vector<model::Routing> all;
};

}  // namespace

Objective objective(const model::LanguageModel& model, const at::Tensor& tokens, double load_balance_coef,
                    double router_z_coef) {
  const std::int64_t n_positions = tokens.size(1) - 1;
  Routings routings;
  const auto observe = [&](std::int64_t l) { return model.config().is_dense(l) ? nullptr : &routings; };
  const at::Tensor residual = model.residual(tokens.narrow(1, 0, n_positions), observe);
  const at::Tensor logits = model.logits(residual).to(at::kFloat).view({-1, model.config().d_vocab});
  Objective result;
  result.cross_entropy = at::cross_entropy_loss(logits, tokens.narrow(1, 1, n_positions).reshape({-1}));
  const double n_layers = static_cast<double>(routings.all.size());
  result.load_balance = at::zeros({}, logits.options());
  result.router_z = at::zeros({}, logits.options());
  for (const model::Routing& routing : routings.all) {
    result.load_balance = result.load_balance + load_balance_loss(routing) / n_layers;
    result.router_z = result.router_z + router_z_loss(routing.logits) / n_layers;
  }
  result.total = result.cross_entropy + load_balance_coef * result.load_balance + router_z_coef * result.router_z;
  return result;
}

double lr_scale(std::int64_t step, std::int64_t n_steps, std::int64_t warmup_steps, double min_lr_frac) {
  if (step < warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  const auto n_decay = static_cast<double>(std::max<std::int64_t>(1, n_steps - 1 - warmup_steps));
  const double progress = std::min(1.0, static_cast<double>(step - warmup_steps) / n_decay);
  return min_lr_frac + (1.0 - min_lr_frac) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

AdamW::AdamW(const std::vector<Parameter>& parameters, const OptimizerSettings& settings) : settings_(settings) {
  for (const Parameter& parameter : parameters) {
    values_.push_back(parameter.value);
    first_.push_back(at::zeros_like(parameter.value));
    second_.push_back(at::zeros_like(parameter.value));
  }
}

double AdamW::step(double lr) {
  const c10::NoGradGuard no_grad;
  at::Tensor square_sum = at::zeros({}, values_.front().options().dtype(at::kDouble));
  for (const at::Tensor& value : values_) {
    if (value.grad().defined()) square_sum += value.grad().square().sum(at::kDouble);
  }
  const double norm = std::sqrt(square_sum.item<double>());
  if (!std::isfinite(norm)) throw input_error("training diverged: the gradient norm is {}", norm);
  const double scale = settings_.max_grad_norm > 0 ? std::min(1.0, settings_.max_grad_norm / (norm + 1e-6)) : 1.0;
  ++n_steps_;
  const auto t = static_cast<double>(n_steps_);
  const double correction1 = 1.0 - std::pow(settings_.beta1, t);
  const double correction2 = 1.0 - std::pow(settings_.beta2, t);
  for (std::size_t i = 0; i < values_.size(); ++i) {
    at::Tensor& value = values_[i];
    if (!value.grad().defined()) continue;
    const at::Tensor grad = value.grad() * scale;
    first_[i].mul_(settings_.beta1).add_(grad, 1.0 - settings_.beta1);
    second_[i].mul_(settings_.beta2).addcmul_(grad, grad, 1.0 - settings_.beta2);
    if (value.dim() >= 2 && settings_.weight_decay > 0) value.mul_(1.0 - lr * settings_.weight_decay);
    const at::Tensor denominator = (second_[i] / correction2).sqrt_().add_(settings_.eps);
    value.addcdiv_(first_[i], denominator, -lr / correction1);
    value.mutable_grad().reset();
  }
  return norm;
}

}  // namespace moescope::train
