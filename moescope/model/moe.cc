#include "moescope/model/moe.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "moescope/base/error.h"

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

// The sum of what experts write, weighted: the only place where it is taken. Routed experts come in ascending order.
// Without gradients each is added at once, so that memory is one expert's; with them all are added together, so that
// backward touches every row once.
class WeightedSum {
 public:
  explicit WeightedSum(const at::Tensor& x) : x_(x), differentiable_(c10::GradMode::is_enabled()) {}

  // Some rows, distinct.
  void add(const ExpertCall& call) {
    if (!differentiable_) {
      if (!routed_.defined()) routed_ = zeros();
      return add_weighted_rows(routed_, call);
    }
    rows_.push_back(call.rows);
    weights_.push_back(call.weights);
    outputs_.push_back(call.outputs);
  }

  // All rows [N, D]; weights [N] f32, undefined: ones.
  void add_all(const at::Tensor& outputs, const at::Tensor& weights) {
    const at::Tensor weighted =
        weights.defined() ? (outputs.to(at::kFloat) * weights.unsqueeze(1)).to(x_.scalar_type()) : outputs;
    all_ = all_.defined() ? all_ + weighted : weighted;
  }

  // [N, D] in x's dtype. Once.
  at::Tensor take() {
    if (!outputs_.empty()) {
      const at::Tensor weighted = at::cat(outputs_).to(at::kFloat) * at::cat(weights_).unsqueeze(1);
      routed_ = zeros().index_add(0, at::cat(rows_), weighted);
    }
    if (!routed_.defined()) return all_;
    const at::Tensor routed = routed_.to(x_.scalar_type());
    return all_.defined() ? routed + all_ : routed;
  }

 private:
  at::Tensor zeros() const { return at::zeros(x_.sizes(), x_.options().dtype(at::kFloat)); }

  const at::Tensor& x_;
  bool differentiable_;
  at::Tensor routed_, all_;
  std::vector<at::Tensor> rows_, weights_, outputs_;
};

// The rows that reach each expert and their weights. Gathered as WeightedSum adds: without gradients one expert at a
// time.
class Gather {
 public:
  Gather(const Dispatch& dispatch, const at::Tensor& x, const at::Tensor& weights)
      : dispatch_(dispatch), x_(x), flat_weights_(weights.reshape({-1})) {
    if (!c10::GradMode::is_enabled()) return;
    std::vector<std::int64_t> counts;
    for (std::size_t e = 0; e + 1 < dispatch.begin.size(); ++e) counts.push_back(count(e));
    inputs_ = x.index_select(0, dispatch.rows).split_with_sizes(counts);
    weights_ = flat_weights_.index_select(0, dispatch.slots).split_with_sizes(counts);
  }

  std::int64_t count(std::size_t expert) const { return dispatch_.begin[expert + 1] - dispatch_.begin[expert]; }
  // The call without neurons and outputs.
  ExpertCall call(std::size_t expert) const {
    ExpertCall call;
    call.expert_idx = static_cast<std::int64_t>(expert);
    call.rows = dispatch_.rows.narrow(0, dispatch_.begin[expert], count(expert));
    call.slots = dispatch_.slots.narrow(0, dispatch_.begin[expert], count(expert));
    call.weights = weights_.empty() ? flat_weights_.index_select(0, call.slots) : weights_[expert];
    return call;
  }
  at::Tensor input(std::size_t expert, const at::Tensor& rows) const {
    return inputs_.empty() ? x_.index_select(0, rows) : inputs_[expert];
  }

 private:
  const Dispatch& dispatch_;
  const at::Tensor& x_;
  at::Tensor flat_weights_;
  std::vector<at::Tensor> inputs_, weights_;
};

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

void run_routed(const ExpertConfig& config, const std::vector<ExpertWeights>& experts, const at::Tensor& x,
                const Routing& routing, WeightedSum& sum, LayerObserver* observer) {
  const Dispatch dispatch = dispatch_by_expert(routing.expert_ids, static_cast<std::int64_t>(experts.size()));
  const Gather gather(dispatch, x, routing.weights);
  for (std::size_t e = 0; e < experts.size(); ++e) {
    if (gather.count(e) == 0) continue;
    ExpertCall call = gather.call(e);
    const ExpertResult result = run_expert(config, experts[e], gather.input(e, call.rows));
    call.neurons = result.neurons;
    call.outputs = result.outputs;
    sum.add(call);
    if (observer != nullptr) observer->on_expert(call);
  }
}

// The dense layer: no rows to gather.
void run_dense(const ExpertConfig& config, const ExpertWeights& weights, const at::Tensor& x, const Routing& routing,
               WeightedSum& sum, LayerObserver* observer) {
  const ExpertResult result = run_expert(config, weights, x);
  sum.add_all(result.outputs, {});
  if (observer == nullptr) return;
  ExpertCall call;
  call.rows = call.slots = at::arange(x.size(0), routing.expert_ids.options());
  call.weights = routing.weights.reshape({-1});
  call.neurons = result.neurons;
  call.outputs = result.outputs;
  observer->on_expert(call);
}

void run_shared(const ExpertConfig& config, const LayerWeights& weights, const at::Tensor& x, WeightedSum& sum,
                LayerObserver* observer) {
  SharedCall call;
  const ExpertResult result = run_expert(config, weights.shared, x);
  call.neurons = result.neurons;
  call.outputs = result.outputs;
  if (weights.shared_router.weight.defined()) {
    call.weights = at::sigmoid(weights.shared_router(x.to(at::kFloat))).squeeze(1);
  }
  sum.add_all(call.outputs, call.weights);
  if (observer == nullptr) return;
  if (!call.weights.defined()) call.weights = at::ones({x.size(0)}, x.options().dtype(at::kFloat));
  observer->on_shared(call);
}

// Which experts each token reaches and with what weight: the only place where it is decided.
Routing decide(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights, const at::Tensor& x) {
  if (config.is_dense(layer_idx)) return route_to_one(x.size(0), x.device());
  return route(config.router, weights.router, weights.selection_bias, x);
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

at::Tensor mix_experts(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                       const at::Tensor& x, LayerObserver* observer) {
  const Routing routing = decide(config, layer_idx, weights, x);
  if (observer != nullptr) observer->on_routing(routing);
  WeightedSum sum(x);
  if (config.is_dense(layer_idx)) {
    run_dense(config.expert, weights.experts.front(), x, routing, sum, observer);
  } else {
    run_routed(config.expert, weights.experts, x, routing, sum, observer);
  }
  if (config.has_shared(layer_idx)) run_shared(config.expert, weights, x, sum, observer);
  return sum.take();
}

}  // namespace moescope::model
