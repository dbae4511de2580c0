#include "moescope/model/blocks.h"

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

// Scores that attention with sinks holds at a time, elements.
constexpr std::int64_t kScoresAtATime = 16 << 20;

// x [..., d_rotary]; cos, sin [T, d_rotary].
at::Tensor turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, bool interleaved) {
  const std::int64_t half = x.size(-1) / 2;
  if (!interleaved) return x * cos + at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1) * sin;
  const at::Tensor pairs = x.unflatten(-1, {half, 2});
  return x * cos + at::stack({-pairs.select(-1, 1), pairs.select(-1, 0)}, -1).flatten(-2) * sin;
}

// The positions of one call, and how heads are turned at them.
struct Positions {
  const AttentionConfig& config;
  const RotaryTable& rotary;
  std::int64_t n_past, n_new;

  // The first d_rotary entries of each head; x [B, H, T, d_head].
  at::Tensor rotate(const at::Tensor& x) const {
    const RopeConfig& rope = config.rope;
    if (rope.d_rotary == 0) return x;
    const at::Tensor cos = rotary.cos.narrow(0, n_past, n_new);
    const at::Tensor sin = rotary.sin.narrow(0, n_past, n_new);
    if (rope.d_rotary == x.size(-1)) return turn(x, cos, sin, rope.interleaved);
    const at::Tensor turned = turn(x.narrow(-1, 0, rope.d_rotary), cos, sin, rope.interleaved);
    return at::cat({turned, x.narrow(-1, rope.d_rotary, x.size(-1) - rope.d_rotary)}, -1);
  }

  // Ministral 3: queries beyond the original context grow with the logarithm of their position.
  at::Tensor stretch(const at::Tensor& query) const {
    if (config.position_beta == 0) return query;
    const at::Tensor position = at::arange(n_past, n_past + n_new, query.options().dtype(at::kFloat));
    const at::Tensor turns = (position / static_cast<double>(config.rope.n_original_ctx)).floor();
    return query * (1.0 + config.position_beta * (1.0 + turns).log()).to(query.scalar_type()).unsqueeze(1);
  }
};

at::Tensor split_heads(const at::Tensor& x, std::int64_t n_heads) {
  return x.view({x.size(0), x.size(1), n_heads, -1}).transpose(1, 2);
}

at::Tensor clip(const at::Tensor& x, const std::optional<double>& bound) {
  return bound ? x.clamp(-*bound, *bound) : x;
}

at::Tensor normed_rms(const ModelConfig& config, const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (config.norm == NormKind::kRmsRoundedLater) {
    const at::Tensor wide = x.to(at::kFloat);
    return (weight.to(at::kFloat) * (wide * at::rsqrt(wide.square().mean(-1, true) + eps))).to(x.scalar_type());
  }
  return rms_norm(x, weight, eps);
}

struct Heads {
  at::Tensor query, key, value;  // [B, H or H_kv, T, d_head or d_value]
};

Heads plain_heads(const ModelConfig& config, const AttentionWeights& weights, const at::Tensor& x,
                  const Positions& positions) {
  const AttentionConfig& attention = config.attention;
  const auto project = [&](const Linear& linear, const Norm& norm, std::int64_t n_heads) {
    at::Tensor y = linear(x);
    if (attention.qk_norm == QkNorm::kWhole) y = normed_rms(config, y, norm.weight, config.norm_eps);
    y = split_heads(clip(y, attention.clip_qkv), n_heads);
    return attention.qk_norm == QkNorm::kPerHead ? normed_rms(config, y, norm.weight, config.norm_eps) : y;
  };
  return {positions.rotate(project(weights.query, weights.query_norm, attention.n_heads)),
          positions.rotate(project(weights.key, weights.key_norm, attention.n_kv_heads)),
          split_heads(clip(weights.value(x), attention.clip_qkv), attention.n_kv_heads)};
}

// A head is [d_nope | d_rotary]; the turned part of the keys is one for all heads.
Heads latent_heads(const ModelConfig& config, const AttentionWeights& weights, const at::Tensor& x,
                   const Positions& positions) {
  const AttentionConfig& attention = config.attention;
  const LatentConfig& latent = *attention.latent;
  const std::int64_t d_rotary = attention.rope.d_rotary;
  const at::Tensor query = latent.q_rank == 0
                               ? weights.query(x)
                               : weights.query_up(normed_rms(config, weights.query_down(x),
                                                             weights.query_latent_norm.weight, latent.norm_eps));
  const std::vector<at::Tensor> q =
      split_heads(query, attention.n_heads).split_with_sizes({latent.d_nope, d_rotary}, -1);
  const std::vector<at::Tensor> down = weights.key_value_down(x).split_with_sizes({latent.kv_rank, d_rotary}, -1);
  const at::Tensor up = weights.key_value_up(
      normed_rms(config, down[0].contiguous(), weights.key_value_latent_norm.weight, latent.norm_eps));
  const std::vector<at::Tensor> kv =
      split_heads(up, attention.n_heads).split_with_sizes({latent.d_nope, latent.d_value}, -1);
  const at::Tensor shared = positions.rotate(down[1].unsqueeze(1)).expand({-1, attention.n_heads, -1, -1});
  return {at::cat({q[0], positions.rotate(q[1])}, -1), at::cat({kv[0], shared}, -1), kv[1]};
}

// Which of n_all positions each of the last n_new ones sees. [n_new, n_all] bool
at::Tensor visible(std::int64_t n_new, std::int64_t n_all, std::int64_t window, at::Device device) {
  at::Tensor mask = at::ones({n_new, n_all}, at::TensorOptions().dtype(at::kBool).device(device)).tril(n_all - n_new);
  return window > 0 ? mask.triu(n_all - n_new - window + 1) : mask;
}

// gpt-oss: the softmax has one more entry, the head's sink, which takes weight and gives nothing. Written out because
// the library's attention has no such entry; rows of queries at a time, so that scores stay small.
at::Tensor attend_with_sinks(const Heads& heads, const at::Tensor& sinks, const at::Tensor& mask, double scale) {
  const std::int64_t n_heads = heads.query.size(1), group = n_heads / heads.key.size(1);
  const at::Tensor key = heads.key.repeat_interleave(group, 1).to(at::kFloat).transpose(-1, -2);
  const at::Tensor value = heads.value.repeat_interleave(group, 1);
  const std::int64_t n_new = heads.query.size(2), n_all = key.size(-1);
  const std::int64_t rows = std::max<std::int64_t>(1, kScoresAtATime / (heads.query.size(0) * n_heads * n_all));
  const at::Tensor sink = sinks.to(at::kFloat).view({1, -1, 1, 1});
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < n_new; begin += rows) {
    const std::int64_t count = std::min(rows, n_new - begin);
    const at::Tensor scores = (at::matmul(heads.query.narrow(2, begin, count).to(at::kFloat), key) * scale)
                                  .masked_fill(mask.narrow(0, begin, count).logical_not(), -INFINITY);
    const at::Tensor all = at::cat({scores, sink.expand({scores.size(0), -1, count, 1})}, -1);
    parts.push_back(at::matmul(at::softmax(all, -1).narrow(-1, 0, n_all).to(value.scalar_type()), value));
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts, 2);
}

// Softmax attention of T new positions over T_past + T: causal among the new ones. [B, H, T, d_value]
at::Tensor attend(const ModelConfig& config, std::int64_t layer_idx, const Heads& heads, const at::Tensor& sinks) {
  const std::int64_t n_new = heads.query.size(2), n_all = heads.key.size(2);
  const double scale = config.attention.score_scale(layer_idx);
  std::int64_t window = config.attention.window(layer_idx);
  if (window >= n_all) window = 0;
  if (config.attention.sinks) {
    return attend_with_sinks(heads, sinks, visible(n_new, n_all, window, heads.query.device()), scale);
  }
  const bool grouped = heads.query.size(1) != heads.key.size(1);
  const bool causal = n_new == n_all && window == 0;
  std::optional<at::Tensor> mask;
  if (!causal && (n_new > 1 || window > 0)) mask = visible(n_new, n_all, window, heads.query.device());
  return at::scaled_dot_product_attention(heads.query, heads.key, heads.value, mask, 0.0, causal, scale, grouped);
}

void extend(KvCache& cache, std::size_t slot, Heads& heads) {
  if (cache.keys.size() <= slot) {
    cache.keys.resize(slot + 1);
    cache.values.resize(slot + 1);
  }
  if (cache.keys[slot].defined()) {
    heads.key = at::cat({cache.keys[slot], heads.key}, 2);
    heads.value = at::cat({cache.values[slot], heads.value}, 2);
  }
  cache.keys[slot] = heads.key;
  cache.values[slot] = heads.value;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, true) + eps);
  return weight * (wide * scale).to(x.scalar_type());
}

at::Tensor apply_norm(const ModelConfig& config, const Norm& norm, const at::Tensor& x) {
  if (config.norm != NormKind::kLayerNorm) return normed_rms(config, x, norm.weight, config.norm_eps);
  return at::layer_norm(x, {x.size(-1)}, Linear::optional(norm.weight), Linear::optional(norm.bias), config.norm_eps);
}

at::Tensor embed(const EmbeddingWeights& embeddings, const at::Tensor& ids, std::int64_t first_position) {
  const at::Tensor tokens = at::embedding(embeddings.token_embedding, ids);
  if (!embeddings.position_embedding.defined()) return tokens;
  const std::int64_t n = ids.size(1);
  if (first_position + n > embeddings.position_embedding.size(0)) {
    throw input_error("position {} lies beyond the model's context of {} tokens", first_position + n - 1,
                      embeddings.position_embedding.size(0));
  }
  return tokens + embeddings.position_embedding.narrow(0, first_position, n);
}

at::Tensor attention(const ModelConfig& config, std::int64_t layer_idx, const AttentionWeights& weights,
                     const at::Tensor& x, const RotaryTable& rotary, KvCache* cache) {
  const std::int64_t n_past = cache == nullptr ? 0 : cache->n_past;
  if (n_past + x.size(1) > rotary.n_positions) {
    throw input_error("position {} lies beyond the model's context of {} tokens", n_past + x.size(1) - 1,
                      rotary.n_positions);
  }
  const Positions positions{config.attention, rotary, n_past, x.size(1)};
  Heads heads = config.attention.latent ? latent_heads(config, weights, x, positions)
                                        : plain_heads(config, weights, x, positions);
  heads.query = positions.stretch(heads.query);
  if (cache != nullptr) extend(*cache, static_cast<std::size_t>(layer_idx), heads);
  const at::Tensor mixed = attend(config, layer_idx, heads, weights.sinks);
  return weights.output(mixed.transpose(1, 2).reshape({x.size(0), x.size(1), -1}));
}

at::Tensor unembed(const ModelConfig& config, const EmbeddingWeights& embeddings, const at::Tensor& residual) {
  return at::linear(apply_norm(config, embeddings.final_norm, residual), embeddings.unembedding,
                    Linear::optional(embeddings.unembedding_bias));
}

}  // namespace moescope::model
