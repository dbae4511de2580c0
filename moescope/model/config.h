// What a language model is made of: the numbers of config.json in moescope's words, the same for every family.
//
// Families (family.h) turn a config.json into this; blocks (blocks.h, moe.h) read only this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moescope::model {

enum class QkNorm {
  kNone,
  kWhole,  // one RMSNorm over all heads' queries (or keys) together, before they are split: OLMoE
};

struct RopeConfig {
  double theta = 10000.0;
};

struct AttentionConfig {
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;  // divides n_heads
  std::int64_t d_head = 0;      // even
  QkNorm qk_norm = QkNorm::kNone;
  std::optional<double> clip_qkv;  // queries, keys and values are clamped to [-clip, clip]
  RopeConfig rope;
};

struct RouterConfig {
  std::int64_t n_experts = 0;
  std::int64_t n_experts_per_token = 0;
  bool renormalize = false;  // applied weights are divided by their sum (norm_topk_prob)
};

struct ModelConfig {
  std::string family;  // config.json's model_type
  std::int64_t d_model = 0;
  std::int64_t d_expert = 0;  // F, hidden width of one expert
  std::int64_t d_vocab = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_ctx = 0;  // max_position_embeddings
  double norm_eps = 1e-5;
  bool tie_embeddings = false;
  AttentionConfig attention;
  RouterConfig router;
  std::vector<std::int64_t> eos_token_ids;

  // All parameters, and those that one token's forward pass uses (embedding rows counted once, unembedding in full).
  std::int64_t n_parameters() const;
  std::int64_t n_active_parameters() const;
  // Multiply-adds times two of one token's forward pass without attention scores (the usual 2 * active parameters,
  // with the unembedding only if `with_unembedding`).
  double flops_per_token(bool with_unembedding) const;
};

}  // namespace moescope::model
