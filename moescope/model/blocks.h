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

// The norm of a model's layers: NormKind says which. x [..., D] -> [..., D].
at::Tensor apply_norm(const ModelConfig& config, const Norm& norm, const at::Tensor& x);

// cos and sin of rotary positions (Su et al. 2021) for positions [0, n_positions), d = d_rotary; undefined where a
// model has none. Computed in float32, rounded to `dtype` as transformers does.
struct RotaryTable {
  std::int64_t n_positions = 0;
  at::Tensor cos;  // [n_positions, d], each angle twice: halves [a, a], or interleaved [a0, a0, a1, a1, ...]
  at::Tensor sin;
};
RotaryTable make_rotary_table(const AttentionConfig& config, std::int64_t n_positions, at::ScalarType dtype,
                              at::Device device);

// Keys and values of the positions seen so far, one entry a layer. Grows by concatenation.
struct KvCache {
  std::vector<at::Tensor> keys;    // [B, H_kv, T_past, d_head]
  std::vector<at::Tensor> values;  // [B, H_kv, T_past, d_value]
  std::int64_t n_past = 0;         // positions in the cache, equal for all sequences
};

// Rows of the token embedding, plus those of the position embedding where there is one. ids [B, T] i64 or i32 ->
// [B, T, D]; the first column is position first_position. Throws kInput if a position lies beyond the embedding.
at::Tensor embed(const EmbeddingWeights& embeddings, const at::Tensor& ids, std::int64_t first_position = 0);

// Causal self-attention of one layer. x [B, T, D] -> [B, T, D]. With a cache, x holds the positions cache->n_past ...
// n_past + T - 1 (n_past itself moves when the model's last layer is done). Throws kInput if a position lies beyond the
// rotary table.
at::Tensor attention(const ModelConfig& config, std::int64_t layer_idx, const AttentionWeights& weights,
                     const at::Tensor& x, const RotaryTable& rotary, KvCache* cache = nullptr);

// Final norm and unembedding: residual [..., D] -> logits [..., V] in the model's dtype.
at::Tensor unembed(const ModelConfig& config, const EmbeddingWeights& embeddings, const at::Tensor& residual);

}  // namespace moescope::model
