#include "moescope/model/language_model.h"

#include <utility>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

std::vector<LayerWeights> load_layers(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device) {
  std::vector<LayerWeights> layers;
  for (std::int64_t l = 0; l < checkpoint.config().n_layers; ++l) layers.push_back(checkpoint.layer(l, dtype, device));
  return layers;
}

void check_ids(const at::Tensor& ids, std::int64_t d_vocab) {
  if (ids.numel() == 0) throw input_error("no tokens to run");
  const auto [low, high] = at::aminmax(ids);
  if (low.item<std::int64_t>() < 0 || high.item<std::int64_t>() >= d_vocab) {
    throw input_error("token id {} is outside the model's vocabulary of {}",
                      low.item<std::int64_t>() < 0 ? low.item<std::int64_t>() : high.item<std::int64_t>(), d_vocab);
  }
}

}  // namespace

LanguageModel::LanguageModel(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device)
    : LanguageModel(checkpoint.config(), checkpoint.embeddings(dtype, device), load_layers(checkpoint, dtype, device)) {
}

LanguageModel::LanguageModel(ModelConfig config, EmbeddingWeights embeddings, std::vector<LayerWeights> layers)
    : config_(std::move(config)),
      embeddings_(std::move(embeddings)),
      layers_(std::move(layers)),
      rotary_(make_rotary_table(config_.attention, config_.n_ctx, dtype(), device())) {}

at::Tensor LanguageModel::residual(const at::Tensor& ids, const std::function<LayerObserver*(std::int64_t)>& observe,
                                   KvCache* cache) const {
  check_ids(ids, config_.d_vocab);
  const EqualLengths sequences{0, ids.size(0), ids.size(1)};
  at::Tensor x = embed(embeddings_, ids, cache == nullptr ? 0 : cache->n_past).view({ids.numel(), -1});
  for (std::int64_t l = 0; l < config_.n_layers; ++l) {
    const LayerContext context{rotary_, sequences, 0, cache, observe ? observe(l) : nullptr};
    x = run_layer(config_, l, layers_[static_cast<std::size_t>(l)], context, x);
  }
  if (cache != nullptr) cache->n_past += ids.size(1);
  return x.view({ids.size(0), ids.size(1), -1});
}

at::Tensor LanguageModel::logits(const at::Tensor& residual) const { return unembed(config_, embeddings_, residual); }

}  // namespace moescope::model
