// One decoder layer: the only place where a layer runs, for corpora (engine), for traces and generation
// (language_model.h) and for training alike.
//
// With LayerOrder::kPreNorm, x [N, D] the residual: x += attention(norm(x)), sequence by sequence (blocks.h), then
// x += mixture(norm(x)), all rows together (moe.h). The other orders put norms and sums elsewhere. Every function is
// differentiable where its inputs require gradients.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "moescope/model/blocks.h"
#include "moescope/model/config.h"
#include "moescope/model/moe.h"
#include "moescope/model/weights.h"

namespace moescope::model {

// Consecutive rows of a residual that are n_sequences sequences of n_positions each.
struct EqualLengths {
  std::int64_t first_row = 0;
  std::int64_t n_sequences = 0;
  std::int64_t n_positions = 0;
};

// What a layer's run needs besides weights and residual. Views what it is given.
struct LayerContext {
  const RotaryTable& rotary;
  at::ArrayRef<EqualLengths> lengths;  // all rows of the residual, in order
  std::int64_t attention_rows = 0;     // rows that pass attention together, at least one sequence; 0: as many as fit
  KvCache* cache = nullptr;            // only with one run of lengths that passes attention as a whole
  LayerObserver* observer = nullptr;
};

// x [N, D], entering the layer -> [N, D], leaving it. Where gradients are not recorded x is changed in place and is
// the result: a wave's residual is the largest tensor of a run.
at::Tensor run_layer(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                     const LayerContext& context, const at::Tensor& x);

}  // namespace moescope::model
