#include "moescope/model/blocks.h"

#include <cmath>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

// x [B, H, T, d_head]; cos, sin [T, d_head].
at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor turned = at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1);
  return x * cos + turned * sin;
}

at::Tensor split_heads(const at::Tensor& x, std::int64_t n_heads) {
  return x.view({x.size(0), x.size(1), n_heads, -1}).transpose(1, 2);
}

at::Tensor clip(const at::Tensor& x, const std::optional<double>& bound) {
  return bound ? x.clamp(-*bound, *bound) : x;
}

// Softmax attention of T new positions over T_past + T: causal among the new ones.
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  const std::int64_t n_new = query.size(2);
  const std::int64_t n_all = key.size(2);
  const bool grouped = query.size(1) != key.size(1);
  if (n_new == n_all) {
    return at::scaled_dot_product_attention(query, key, value, {}, 0.0, true, std::nullopt, grouped);
  }
  std::optional<at::Tensor> mask;
  if (n_new > 1) {
    mask = at::ones({n_new, n_all}, query.options().dtype(at::kBool)).tril(n_all - n_new);
  }
  return at::scaled_dot_product_attention(query, key, value, mask, 0.0, false, std::nullopt, grouped);
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, true) + eps);
  return weight * (wide * scale).to(x.scalar_type());
}

RotaryTable make_rotary_table(const AttentionConfig& config, std::int64_t n_positions, at::ScalarType dtype,
                              at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kFloat);
  const at::Tensor exponent = at::arange(0, config.d_head, 2, options) / static_cast<double>(config.d_head);
  const at::Tensor inverse_frequency = 1.0 / at::pow(config.rope.theta, exponent);
  const at::Tensor angle = at::outer(at::arange(n_positions, options), inverse_frequency);
  const at::Tensor both = at::cat({angle, angle}, -1);
  return {both.cos().to(device, dtype), both.sin().to(device, dtype)};
}

at::Tensor attention(const AttentionConfig& config, const AttentionWeights& weights, double norm_eps,
                     const at::Tensor& x, const RotaryTable& rotary, KvCache* cache, std::int64_t layer_idx) {
  const std::int64_t n_past = cache == nullptr ? 0 : cache->n_past;
  const std::int64_t n_new = x.size(1);
  if (n_past + n_new > rotary.cos.size(0)) {
    throw input_error("position {} lies beyond the model's context of {} tokens", n_past + n_new - 1,
                      rotary.cos.size(0));
  }
  at::Tensor query = at::linear(x, weights.query);
  at::Tensor key = at::linear(x, weights.key);
  at::Tensor value = at::linear(x, weights.value);
  if (config.qk_norm == QkNorm::kWhole) {
    query = rms_norm(query, weights.query_norm, norm_eps);
    key = rms_norm(key, weights.key_norm, norm_eps);
  }
  const at::Tensor cos = rotary.cos.narrow(0, n_past, n_new);
  const at::Tensor sin = rotary.sin.narrow(0, n_past, n_new);
  query = rotate(split_heads(clip(query, config.clip_qkv), config.n_heads), cos, sin);
  key = rotate(split_heads(clip(key, config.clip_qkv), config.n_kv_heads), cos, sin);
  value = split_heads(clip(value, config.clip_qkv), config.n_kv_heads);
  if (cache != nullptr) {
    const auto slot = static_cast<std::size_t>(layer_idx);
    if (cache->keys.size() <= slot) {
      cache->keys.resize(slot + 1);
      cache->values.resize(slot + 1);
    }
    if (cache->keys[slot].defined()) {
      key = at::cat({cache->keys[slot], key}, 2);
      value = at::cat({cache->values[slot], value}, 2);
    }
    cache->keys[slot] = key;
    cache->values[slot] = value;
  }
  const at::Tensor mixed = attend(query, key, value);  // [B, H, T, d_head]
  return at::linear(mixed.transpose(1, 2).reshape({x.size(0), n_new, -1}), weights.output);
}

at::Tensor attention_sublayer(const ModelConfig& config, const LayerWeights& weights, const at::Tensor& x,
                              const RotaryTable& rotary, KvCache* cache, std::int64_t layer_idx) {
  const at::Tensor normed = rms_norm(x, weights.input_norm, config.norm_eps);
  return x + attention(config.attention, weights.attention, config.norm_eps, normed, rotary, cache, layer_idx);
}

}  // namespace moescope::model
