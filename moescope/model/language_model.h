// A whole model with its weights loaded, for short inputs: traces, generation, training. The engine runs corpora.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "moescope/model/blocks.h"
#include "moescope/model/config.h"
#include "moescope/model/layer.h"
#include "moescope/model/weights.h"

namespace moescope::model {

// Weights are shared with the checkpoint's mapping where dtype and device allow, so the checkpoint must outlive this.
// Thread-safe after construction.
class LanguageModel {
 public:
  LanguageModel(const Checkpoint& checkpoint, at::ScalarType dtype, at::Device device);
  LanguageModel(ModelConfig config, EmbeddingWeights embeddings, std::vector<LayerWeights> layers);

  const ModelConfig& config() const { return config_; }
  at::Device device() const { return embeddings_.token_embedding.device(); }
  at::ScalarType dtype() const { return embeddings_.token_embedding.scalar_type(); }
  const EmbeddingWeights& embeddings() const { return embeddings_; }
  const std::vector<LayerWeights>& layers() const { return layers_; }

  // The residual stream behind the last layer. ids [B, T] i64 on the device, every id in [0, V) (checked).
  // `observe(l)` gives the observer of layer l or null.
  at::Tensor residual(const at::Tensor& ids, const std::function<LayerObserver*(std::int64_t)>& observe = {},
                      KvCache* cache = nullptr) const;
  // Final norm and unembedding: residual [..., D] -> logits [..., V] in the model's dtype.
  at::Tensor logits(const at::Tensor& residual) const;

 private:
  ModelConfig config_;
  EmbeddingWeights embeddings_;
  std::vector<LayerWeights> layers_;
  RotaryTable rotary_;
};

}  // namespace moescope::model
