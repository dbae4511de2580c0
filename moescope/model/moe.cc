#include "moescope/model/moe.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "moescope/base/error.h"
#include "moescope/model/blocks.h"

namespace moescope::model {
namespace {

// sum[rows[i]] += weights[i] * outputs[i]; rows are distinct, so that rows may be split over threads.
template <typename T>
void add_weighted_rows_cpu(at::Tensor& sum, const ExpertCall& call) {
  const std::int64_t width = sum.size(1);
  float* to = sum.data_ptr<float>();
  const T* from = call.outputs.const_data_ptr<T>();
  const std::int64_t* rows = call.rows.const_data_ptr<std::int64_t>();
  const float* weights = call.weights.const_data_ptr<float>();
  at::parallel_for(0, call.rows.size(0), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* row = to + rows[i] * width;
      const T* output = from + i * width;
      const float weight = weights[i];
      for (std::int64_t d = 0; d < width; ++d) row[d] += weight * static_cast<float>(output[d]);
    }
  });
}

void add_weighted_rows(at::Tensor& sum, const ExpertCall& call) {
  const bool on_cpu = sum.is_cpu() && call.outputs.is_contiguous();
  if (on_cpu && call.outputs.scalar_type() == at::kFloat) return add_weighted_rows_cpu<float>(sum, call);
  if (on_cpu && call.outputs.scalar_type() == at::kBFloat16) return add_weighted_rows_cpu<at::BFloat16>(sum, call);
  sum.index_add_(0, call.rows, call.outputs.to(at::kFloat) * call.weights.unsqueeze(1));
}

ExpertCall take_expert(const Dispatch& dispatch, std::int64_t expert, const at::Tensor& flat_weights) {
  const auto slot = static_cast<std::size_t>(expert);
  const std::int64_t begin = dispatch.begin[slot];
  const std::int64_t count = dispatch.begin[slot + 1] - begin;
  ExpertCall call;
  call.expert_idx = expert;
  call.rows = dispatch.rows.narrow(0, begin, count);
  call.slots = dispatch.slots.narrow(0, begin, count);
  call.weights = flat_weights.index_select(0, call.slots);
  return call;
}

// Inference: experts one after the other into one float32 sum; memory is one expert's activations.
at::Tensor mix_in_place(const ExpertConfig& config, const std::vector<ExpertWeights>& experts, const at::Tensor& x,
                        const Routing& routing, const Dispatch& dispatch, LayerObserver* observer) {
  at::Tensor sum = at::zeros(x.sizes(), x.options().dtype(at::kFloat));
  const at::Tensor flat_weights = routing.weights.reshape({-1});
  for (std::int64_t e = 0; e < static_cast<std::int64_t>(experts.size()); ++e) {
    ExpertCall call = take_expert(dispatch, e, flat_weights);
    if (call.rows.size(0) == 0) continue;
    const ExpertResult result = run_expert(config, experts[static_cast<std::size_t>(e)], x.index_select(0, call.rows));
    call.neurons = result.neurons;
    call.outputs = result.outputs;
    add_weighted_rows(sum, call);
    if (observer != nullptr) observer->on_expert(call);
  }
  return sum.to(x.scalar_type());
}

// Training: the same sum as differentiable operations whose backward touches every row once.
at::Tensor mix_differentiable(const ExpertConfig& config, const std::vector<ExpertWeights>& experts,
                              const at::Tensor& x, const Routing& routing, const Dispatch& dispatch) {
  std::vector<std::int64_t> counts;
  for (std::size_t e = 0; e < experts.size(); ++e) counts.push_back(dispatch.begin[e + 1] - dispatch.begin[e]);
  const std::vector<at::Tensor> inputs = x.index_select(0, dispatch.rows).split_with_sizes(counts);
  std::vector<at::Tensor> outputs;
  for (std::size_t e = 0; e < experts.size(); ++e) {
    if (counts[e] > 0) outputs.push_back(run_expert(config, experts[e], inputs[e]).outputs);
  }
  const at::Tensor flat_weights = routing.weights.reshape({-1}).index_select(0, dispatch.slots);
  const at::Tensor weighted = at::cat(outputs).to(at::kFloat) * flat_weights.unsqueeze(1);
  return at::zeros(x.sizes(), weighted.options()).index_add(0, dispatch.rows, weighted).to(x.scalar_type());
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kSilu: return at::silu(x);
    case Activation::kGelu: return at::gelu(x);
    case Activation::kGeluTanh: return at::gelu(x, "tanh");
    case Activation::kRelu: return at::relu(x);
  }
  return {};
}

at::Tensor clamped_swiglu(const ClampedSwiglu& clamped, const at::Tensor& gate_x, const at::Tensor& up_x) {
  const at::Tensor gate = gate_x.clamp_max(clamped.limit);
  const at::Tensor up = up_x.clamp(-clamped.limit, clamped.limit);
  return (up + 1) * (gate * at::sigmoid(gate * clamped.alpha));
}

// Scores of choice without the experts of all but the best groups. choice [N, E]
at::Tensor keep_best_groups(const RouterConfig& config, const at::Tensor& choice) {
  const at::Tensor groups = choice.unflatten(1, {config.n_groups, -1});  // [N, G, E / G]
  const at::Tensor score =
      config.group_score == GroupScore::kBest ? groups.amax(-1) : std::get<0>(groups.topk(2, -1)).sum(-1);
  const at::Tensor order = std::get<1>(at::sort(score, /*stable=*/true, -1, /*descending=*/true));
  const at::Tensor kept = at::zeros_like(score, at::kBool).scatter_(1, order.narrow(1, 0, config.n_groups_chosen), 1);
  return groups.masked_fill(kept.logical_not().unsqueeze(-1), -INFINITY).flatten(1);
}

// The dense layer: no rows to gather, no sum to keep.
at::Tensor run_dense(const ExpertConfig& config, const ExpertWeights& weights, const at::Tensor& x,
                     const Routing& routing, LayerObserver* observer) {
  const ExpertResult result = run_expert(config, weights, x);
  if (observer != nullptr) {
    ExpertCall call;
    call.rows = call.slots = at::arange(x.size(0), routing.expert_ids.options());
    call.weights = routing.weights.reshape({-1});
    call.neurons = result.neurons;
    call.outputs = result.outputs;
    observer->on_expert(call);
  }
  return result.outputs;
}

at::Tensor run_shared(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                      LayerObserver* observer) {
  SharedCall call;
  const ExpertResult result = run_expert(config.expert, weights.shared, x);
  call.neurons = result.neurons;
  call.outputs = result.outputs;
  if (weights.shared_router.weight.defined()) {
    call.weights = at::sigmoid(weights.shared_router(x.to(at::kFloat))).squeeze(1);
    if (observer != nullptr) observer->on_shared(call);
    return (result.outputs.to(at::kFloat) * call.weights.unsqueeze(1)).to(x.scalar_type());
  }
  if (observer != nullptr) {
    call.weights = at::ones({x.size(0)}, x.options().dtype(at::kFloat));
    observer->on_shared(call);
  }
  return result.outputs;
}

at::Tensor feed_forward(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                        const at::Tensor& x, LayerObserver* observer, Routing* routing) {
  const bool dense = config.is_dense(layer_idx);
  Routing decided =
      dense ? route_to_one(x.size(0), x.device()) : route(config.router, weights.router, weights.selection_bias, x);
  if (observer != nullptr) observer->on_routing(decided);
  at::Tensor mixed = dense ? run_dense(config.expert, weights.experts.front(), x, decided, observer)
                           : mix_experts(config.expert, weights.experts, x, decided, observer);
  if (!dense && config.d_shared > 0) mixed = mixed + run_shared(config, weights, x, observer);
  if (routing != nullptr) *routing = std::move(decided);
  return mixed;
}

}  // namespace

Routing route(const RouterConfig& config, const Linear& router, const at::Tensor& selection_bias, const at::Tensor& x) {
  Routing routing;
  routing.logits = at::linear(x.to(at::kFloat), router.weight.to(at::kFloat), Linear::optional(router.bias));
  at::Tensor scores;
  if (config.scoring == Scoring::kSigmoid) {
    scores = at::sigmoid(routing.logits);
    routing.probs = scores / scores.sum(-1, true).clamp_min(1e-20);
  } else {
    routing.probs = at::softmax(routing.logits, -1);
    scores = config.scoring == Scoring::kSoftmax ? routing.probs : routing.logits;
  }
  at::Tensor choice = scores.detach();
  if (selection_bias.defined()) choice = choice + selection_bias;
  if (config.n_groups > 1) choice = keep_best_groups(config, choice);
  const at::Tensor order = std::get<1>(at::sort(choice, /*stable=*/true, -1, /*descending=*/true));
  routing.expert_ids = order.narrow(-1, 0, config.n_experts_per_token).contiguous();
  routing.weights = scores.gather(-1, routing.expert_ids);
  if (config.scoring == Scoring::kSoftmaxOfChosen) routing.weights = at::softmax(routing.weights, -1);
  if (config.renormalize) {
    const at::Tensor sum = routing.weights.sum(-1, true);
    routing.weights = routing.weights / (config.sum_floor > 0 ? sum.clamp_min(config.sum_floor) : sum);
  }
  if (config.scale != 1.0) routing.weights = routing.weights * config.scale;
  return routing;
}

Routing route_to_one(std::int64_t n_tokens, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  return {at::zeros({n_tokens, 1}, options), at::ones({n_tokens, 1}, options),
          at::zeros({n_tokens, 1}, options.dtype(at::kLong)), at::ones({n_tokens, 1}, options)};
}

Dispatch dispatch_by_expert(const at::Tensor& expert_ids, std::int64_t n_experts) {
  const std::int64_t n_per_token = expert_ids.size(1);
  const at::Tensor flat = expert_ids.reshape({-1});
  Dispatch dispatch;
  dispatch.slots = std::get<1>(at::sort(flat, /*stable=*/true, 0, /*descending=*/false));
  dispatch.rows = at::floor_divide(dispatch.slots, n_per_token);
  const at::Tensor counts = at::bincount(flat, {}, n_experts).cpu();
  MOESCOPE_ASSERT(counts.size(0) == n_experts);
  dispatch.begin.assign(1, 0);
  for (std::int64_t e = 0; e < n_experts; ++e) {
    dispatch.begin.push_back(dispatch.begin.back() + counts.const_data_ptr<std::int64_t>()[e]);
  }
  return dispatch;
}

ExpertResult run_expert(const ExpertConfig& config, const ExpertWeights& weights, const at::Tensor& x) {
  ExpertResult result;
  if (!config.gated) {
    result.neurons = activate(config.activation, weights.up(x));
  } else if (config.clamped) {
    result.neurons = clamped_swiglu(*config.clamped, weights.gate(x), weights.up(x));
  } else {
    result.neurons = activate(config.activation, weights.gate(x)) * weights.up(x);
  }
  result.outputs = weights.down(result.neurons);
  return result;
}

at::Tensor mix_experts(const ExpertConfig& config, const std::vector<ExpertWeights>& experts, const at::Tensor& x,
                       const Routing& routing, LayerObserver* observer) {
  const Dispatch dispatch = dispatch_by_expert(routing.expert_ids, static_cast<std::int64_t>(experts.size()));
  if (c10::GradMode::is_enabled() && (x.requires_grad() || routing.weights.requires_grad())) {
    MOESCOPE_ASSERT(observer == nullptr);
    return mix_differentiable(config, experts, x, routing, dispatch);
  }
  return mix_in_place(config, experts, x, routing, dispatch, observer);
}

at::Tensor feed_forward_sublayer(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                                 const at::Tensor& entering, const at::Tensor& x, LayerObserver* observer,
                                 Routing* routing) {
  if (config.order == LayerOrder::kPostNorm) {
    return x + apply_norm(config, weights.feed_forward_norm,
                          feed_forward(config, layer_idx, weights, x, observer, routing));
  }
  const at::Tensor& source = config.order == LayerOrder::kParallel ? entering : x;
  const at::Tensor normed = apply_norm(config, weights.feed_forward_norm, source);
  return x + feed_forward(config, layer_idx, weights, normed, observer, routing);
}

}  // namespace moescope::model
