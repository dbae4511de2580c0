#include "moescope/model/config.h"

namespace moescope::model {
namespace {

std::int64_t attention_parameters(const ModelConfig& config) {
  const AttentionConfig& attention = config.attention;
  const std::int64_t d_query = attention.n_heads * attention.d_head;
  const std::int64_t d_key = attention.n_kv_heads * attention.d_head;
  const std::int64_t norms = attention.qk_norm == QkNorm::kWhole ? d_query + d_key : 0;
  return config.d_model * (2 * d_query + 2 * d_key) + norms;
}

std::int64_t layer_parameters(const ModelConfig& config, std::int64_t n_experts) {
  return attention_parameters(config) + 2 * config.d_model + config.router.n_experts * config.d_model +
         n_experts * 3 * config.d_model * config.d_expert;
}

}  // namespace

std::int64_t ModelConfig::n_parameters() const {
  const std::int64_t embeddings = d_vocab * d_model * (tie_embeddings ? 1 : 2);
  return embeddings + d_model + n_layers * layer_parameters(*this, router.n_experts);
}

std::int64_t ModelConfig::n_active_parameters() const {
  const std::int64_t embeddings = d_vocab * d_model * (tie_embeddings ? 1 : 2);
  return embeddings + d_model + n_layers * layer_parameters(*this, router.n_experts_per_token);
}

double ModelConfig::flops_per_token(bool with_unembedding) const {
  const std::int64_t unembedding = with_unembedding ? d_vocab * d_model : 0;
  return 2.0 * static_cast<double>(n_layers * layer_parameters(*this, router.n_experts_per_token) + unembedding);
}

}  // namespace moescope::model
