// The parts of a decoder layer that are not the mixture of experts. One definition for inference and for training:
// every function is differentiable where its inputs require gradients.
//
// Letters: B sequences, T positions, N = B*T tokens, D d_model, H heads. Tensors are contiguous, all of one dtype
// (float32 or bfloat16) and on one device, unless said otherwise.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "moescope/model/config.h"
#include "moescope/model/weights.h"

namespace moescope::model {

// x / sqrt(mean(x^2) + eps) * weight over the last dimension; the norm in float32, the product in x's dtype
// (Zhang and Sennrich 2019, as transformers rounds it). x [..., D], weight [D].
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

// cos and sin of rotary positions (Su et al. 2021), halves layout: pair i is (i, i + d_head / 2).
// Computed in float32 for positions [0, n_positions), rounded to `dtype` as transformers does.
struct RotaryTable {
  at::Tensor cos;  // [n_positions, d_head]
  at::Tensor sin;  // [n_positions, d_head]
};
RotaryTable make_rotary_table(const AttentionConfig& config, std::int64_t n_positions, at::ScalarType dtype,
                              at::Device device);

// Keys and values of the positions seen so far, one entry a layer. Grows by concatenation.
struct KvCache {
  std::vector<at::Tensor> keys;    // [B, H_kv, T_past, d_head]
  std::vector<at::Tensor> values;  // [B, H_kv, T_past, d_head]
  std::int64_t n_past = 0;         // positions in the cache, equal for all sequences
};

// Causal self-attention with grouped queries. x [B, T, D] -> [B, T, D]. With a cache, x holds the positions
// cache->n_past ... n_past + T - 1, and layer_idx says which entry to extend (n_past itself moves when the model's
// last layer is done). Throws kInput if a position lies beyond the rotary table.
at::Tensor attention(const AttentionConfig& config, const AttentionWeights& weights, double norm_eps,
                     const at::Tensor& x, const RotaryTable& rotary, KvCache* cache = nullptr,
                     std::int64_t layer_idx = 0);

// x + attention(norm(x)): the first half of a layer. x [B, T, D].
at::Tensor attention_sublayer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                              const RotaryTable& rotary, KvCache* cache = nullptr, std::int64_t layer_idx = 0);

}  // namespace moescope::model
