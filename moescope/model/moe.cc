#include "moescope/model/moe.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

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
at::Tensor mix_in_place(const std::vector<ExpertWeights>& experts, const at::Tensor& x, const Routing& routing,
                        const Dispatch& dispatch, LayerObserver* observer) {
  at::Tensor sum = at::zeros(x.sizes(), x.options().dtype(at::kFloat));
  const at::Tensor flat_weights = routing.weights.reshape({-1});
  for (std::int64_t e = 0; e < static_cast<std::int64_t>(experts.size()); ++e) {
    ExpertCall call = take_expert(dispatch, e, flat_weights);
    if (call.rows.size(0) == 0) continue;
    const ExpertResult result = run_expert(experts[static_cast<std::size_t>(e)], x.index_select(0, call.rows));
    call.neurons = result.neurons;
    call.outputs = result.outputs;
    add_weighted_rows(sum, call);
    if (observer != nullptr) observer->on_expert(call);
  }
  return sum.to(x.scalar_type());
}

// Training: the same sum as differentiable operations whose backward touches every row once.
at::Tensor mix_differentiable(const std::vector<ExpertWeights>& experts, const at::Tensor& x, const Routing& routing,
                              const Dispatch& dispatch) {
  std::vector<std::int64_t> counts;
  for (std::size_t e = 0; e < experts.size(); ++e) counts.push_back(dispatch.begin[e + 1] - dispatch.begin[e]);
  const std::vector<at::Tensor> inputs = x.index_select(0, dispatch.rows).split_with_sizes(counts);
  std::vector<at::Tensor> outputs;
  for (std::size_t e = 0; e < experts.size(); ++e) {
    if (counts[e] > 0) outputs.push_back(run_expert(experts[e], inputs[e]).outputs);
  }
  const at::Tensor flat_weights = routing.weights.reshape({-1}).index_select(0, dispatch.slots);
  const at::Tensor weighted = at::cat(outputs).to(at::kFloat) * flat_weights.unsqueeze(1);
  return at::zeros(x.sizes(), weighted.options()).index_add(0, dispatch.rows, weighted).to(x.scalar_type());
}

}  // namespace

Routing route(const RouterConfig& config, const at::Tensor& router, const at::Tensor& x) {
  Routing routing;
  routing.logits = at::linear(x.to(at::kFloat), router.to(at::kFloat));
  routing.probs = at::softmax(routing.logits, -1);
  const at::Tensor order = std::get<1>(at::sort(routing.probs.detach(), /*stable=*/true, -1, /*descending=*/true));
  routing.expert_ids = order.narrow(-1, 0, config.n_experts_per_token).contiguous();
  routing.weights = routing.probs.gather(-1, routing.expert_ids);
  if (config.renormalize) routing.weights = routing.weights / routing.weights.sum(-1, true);
  return routing;
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

ExpertResult run_expert(const ExpertWeights& weights, const at::Tensor& x) {
  ExpertResult result;
  result.neurons = at::silu(at::linear(x, weights.gate)) * at::linear(x, weights.up);
  result.outputs = at::linear(result.neurons, weights.down);
  return result;
}

at::Tensor mix_experts(const std::vector<ExpertWeights>& experts, const at::Tensor& x, const Routing& routing,
                       LayerObserver* observer) {
  const Dispatch dispatch = dispatch_by_expert(routing.expert_ids, static_cast<std::int64_t>(experts.size()));
  if (c10::GradMode::is_enabled() && (x.requires_grad() || routing.weights.requires_grad())) {
    MOESCOPE_ASSERT(observer == nullptr);
    return mix_differentiable(experts, x, routing, dispatch);
  }
  return mix_in_place(experts, x, routing, dispatch, observer);
}

at::Tensor moe_sublayer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                        LayerObserver* observer, Routing* routing) {
  const at::Tensor normed = rms_norm(x, weights.post_attention_norm, config.norm_eps);
  Routing decided = route(config.router, weights.router, normed);
  if (observer != nullptr) observer->on_routing(decided);
  const at::Tensor mixed = mix_experts(weights.experts, normed, decided, observer);
  if (routing != nullptr) *routing = std::move(decided);
  return x + mixed;
}

}  // namespace moescope::model
