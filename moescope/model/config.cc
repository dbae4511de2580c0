#include "moescope/model/config.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "moescope/model/family.h"

namespace moescope::model {
namespace {

bool is_embedding(Role role) {
  return role == Role::kTokenEmbedding || role == Role::kPositionEmbedding || role == Role::kUnembedding;
}

struct Counts {
  std::int64_t embeddings = 0, layers = 0, rest = 0;
};

// Elements of all tensors of the family's table; with `active` those of as many experts as a token reaches.
Counts count(const ModelConfig& config, bool active) {
  Counts counts;
  std::set<std::string> seen;  // a stored tensor may hold several roles
  for (const WeightSpec& spec : find_family(config.family).weights(config, no_names)) {
    if (!seen.insert(spec.pattern).second) continue;
    std::int64_t n = 1;
    for (const std::int64_t size : spec.shape) n *= size;
    if (!spec.per_layer()) {
      (is_embedding(spec.role) ? counts.embeddings : counts.rest) += n;
      continue;
    }
    for (std::int64_t l = 0; l < config.n_layers; ++l) {
      if (!spec.in_layer(config, l)) continue;
      std::int64_t n_experts = spec.per_expert() ? config.n_experts(l) : 1;
      if (active && spec.per_expert()) n_experts = config.n_experts_per_token(l);
      std::int64_t each = n;
      if (spec.slice.stacked) {
        each /= spec.shape.front();
        n_experts = active ? config.n_experts_per_token(l) : spec.shape.front();
      }
      counts.layers += each * n_experts;
    }
  }
  return counts;
}

std::int64_t total(const Counts& counts) { return counts.embeddings + counts.layers + counts.rest; }

}  // namespace

double AttentionConfig::score_scale(std::int64_t layer_idx) const {
  const double base = scale.value_or(1.0 / std::sqrt(static_cast<double>(d_head)));
  return scale_by_layer ? base / static_cast<double>(layer_idx + 1) : base;
}

std::int64_t AttentionConfig::window(std::int64_t layer_idx) const {
  return windows.empty() ? 0 : windows[static_cast<std::size_t>(layer_idx)];
}

bool ModelConfig::is_dense(std::int64_t layer_idx) const {
  return !dense_layers.empty() && dense_layers[static_cast<std::size_t>(layer_idx)];
}

bool ModelConfig::all_dense() const {
  return !dense_layers.empty() &&
         std::all_of(dense_layers.begin(), dense_layers.end(), [](bool dense) { return dense; });
}

std::int64_t ModelConfig::n_parameters() const { return total(count(*this, false)); }
std::int64_t ModelConfig::n_active_parameters() const { return total(count(*this, true)); }

double ModelConfig::flops_per_token(bool with_unembedding) const {
  const std::int64_t unembedding = with_unembedding ? d_vocab * d_model : 0;
  return 2.0 * static_cast<double>(count(*this, true).layers + unembedding);
}

}  // namespace moescope::model
