// The mixture of experts: router, dispatch by expert, experts, and what one can observe of them.
//
// Letters: N tokens, K experts a token, E experts, F expert width, D d_model, M tokens of one expert.
// Source: OLMoE (arXiv 2409.02060), section 2: y = sum over the top-k experts e of softmax(router(x))_e * expert_e(x);
// DeepSeek-V3 (arXiv 2412.19437), equations 12 to 16: sigmoid scores, selection bias, shared experts.
// A dense layer runs as a mixture of one expert.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "moescope/model/config.h"
#include "moescope/model/weights.h"

namespace moescope::model {

// What the router decided. Logits and everything up to the applied weights are float32 whatever the model's dtype.
struct Routing {
  at::Tensor logits;      // [N, E] f32, before softmax or sigmoid, without selection bias; zeros in a dense layer
  at::Tensor probs;       // [N, E] f32, rows sum to 1: softmax of the logits, or sigmoids over their sum
  at::Tensor expert_ids;  // [N, K] i64, by descending score of choice, ties to the lower index
  at::Tensor weights;     // [N, K] f32, as applied: renormalised and scaled
};

// x [N, D]; router weight [E, D], bias [E] or undefined, selection bias [E] or undefined.
Routing route(const RouterConfig& config, const Linear& router, const at::Tensor& selection_bias, const at::Tensor& x);
// What a dense layer's observers see: every token in expert 0 with weight 1.
Routing route_to_one(std::int64_t n_tokens, at::Device device);

// The (token, slot) pairs of a routing, grouped by expert; inside an expert by ascending token.
struct Dispatch {
  at::Tensor rows;                  // [N * K] i64, token indices, grouped by expert
  at::Tensor slots;                 // [N * K] i64, flat indices token * K + slot, in the same order
  std::vector<std::int64_t> begin;  // E + 1 bounds into both
};
Dispatch dispatch_by_expert(const at::Tensor& expert_ids, std::int64_t n_experts);

// One expert's share of a wave. Tensors are valid during the call only.
struct ExpertCall {
  std::int64_t expert_idx = 0;
  at::Tensor rows;     // [M] i64, ascending token indices; M > 0
  at::Tensor slots;    // [M] i64, token * K + slot
  at::Tensor weights;  // [M] f32, applied router weights
  at::Tensor neurons;  // [M, F], what the down projection is applied to, the model's dtype
  at::Tensor outputs;  // [M, D], before weighting, the model's dtype
};

// The expert that every token of a sparse layer reaches besides those chosen for it.
struct SharedCall {
  at::Tensor neurons;  // [N, Fs]
  at::Tensor outputs;  // [N, D], before weighting
  at::Tensor weights;  // [N] f32, the sigmoid of its own router; ones without one
};

// Sees a layer run. Called on one thread, in this order: residual, routing, experts in ascending order (those with
// tokens), the shared expert. Must not change what it is given.
class LayerObserver {
 public:
  virtual ~LayerObserver() = default;
  virtual void on_residual(const at::Tensor& /*residual [N, D], entering the layer*/) {}
  virtual void on_routing(const Routing& /*routing*/) {}
  virtual void on_expert(const ExpertCall& /*call*/) {}
  virtual void on_shared(const SharedCall& /*call*/) {}
};

// x [M, D] -> neurons [M, F] and outputs [M, D].
struct ExpertResult {
  at::Tensor neurons;
  at::Tensor outputs;
};
ExpertResult run_expert(const ExpertConfig& config, const ExpertWeights& weights, const at::Tensor& x);

// The mixture of one layer: routing is decided, experts run, and their weighted outputs are summed here and nowhere
// else, for sparse, dense and shared experts alike. x [N, D], normed if the layer's order says so -> [N, D].
// Weighted outputs of routed experts are summed in float32 in ascending order of experts; what an expert of every token
// writes is added in x's dtype, as the reference implementations do. Where gradients are recorded, an observer is given
// tensors that carry them.
at::Tensor mix_experts(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                       const at::Tensor& x, LayerObserver* observer = nullptr);

}  // namespace moescope::model
