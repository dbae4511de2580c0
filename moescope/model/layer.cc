#include "moescope/model/layer.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

at::Tensor added(const at::Tensor& x, const at::Tensor& change) {
  return c10::GradMode::is_enabled() ? x + change : x.add_(change);
}

// Taking all rows leaves no trace in the graph of gradients.
at::Tensor take_rows(const at::Tensor& x, std::int64_t first, std::int64_t count) {
  return count == x.size(0) ? x : x.narrow(0, first, count);
}

// The first half of a layer on sequences of one length. x [B, T, D]
at::Tensor attend(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                  const LayerContext& context, const at::Tensor& x) {
  const auto change = [&](const at::Tensor& input) {
    return attention(config, layer_idx, weights.attention, input, context.rotary, context.cache);
  };
  if (config.order == LayerOrder::kPostNorm) return added(x, apply_norm(config, weights.attention_norm, change(x)));
  return added(x, change(apply_norm(config, weights.attention_norm, x)));
}

// The same on all rows, as many sequences at a time as the context allows. x [N, D]
at::Tensor attend_all(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                      const LayerContext& context, const at::Tensor& x) {
  std::vector<at::Tensor> parts;
  for (const EqualLengths& run : context.lengths) {
    const std::int64_t at_a_time = context.attention_rows > 0
                                       ? std::max<std::int64_t>(1, context.attention_rows / run.n_positions)
                                       : run.n_sequences;
    MOESCOPE_ASSERT(context.cache == nullptr || (context.lengths.size() == 1 && at_a_time >= run.n_sequences));
    for (std::int64_t done = 0; done < run.n_sequences; done += at_a_time) {
      const std::int64_t count = std::min(at_a_time, run.n_sequences - done);
      const at::Tensor rows = take_rows(x, run.first_row + done * run.n_positions, count * run.n_positions);
      const at::Tensor sequences = rows.view({count, run.n_positions, config.d_model});
      parts.push_back(attend(config, layer_idx, weights, context, sequences).view_as(rows));
    }
  }
  if (!c10::GradMode::is_enabled()) return x;
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace

at::Tensor run_layer(const ModelConfig& config, std::int64_t layer_idx, const LayerWeights& weights,
                     const LayerContext& context, const at::Tensor& x) {
  if (context.observer != nullptr) context.observer->on_residual(x);
  const auto norm = [&](const at::Tensor& input) { return apply_norm(config, weights.feed_forward_norm, input); };
  const auto mix = [&](const at::Tensor& input) {
    return mix_experts(config, layer_idx, weights, input, context.observer);
  };
  if (config.order == LayerOrder::kParallel) {
    const at::Tensor normed = norm(x);  // before attention changes x
    return added(attend_all(config, layer_idx, weights, context, x), mix(normed));
  }
  const at::Tensor attended = attend_all(config, layer_idx, weights, context, x);
  if (config.order == LayerOrder::kPostNorm) return added(attended, norm(mix(attended)));
  return added(attended, mix(norm(attended)));
}

}  // namespace moescope::model
