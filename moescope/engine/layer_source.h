// Gives the engine one layer's weights after the other, reading the next layer while the current one computes.
// For a GPU a layer goes through pinned memory and a stream of its own, so that the copy runs beside the arithmetic.
#pragma once

#include <c10/core/Stream.h>

#include <cstdint>
#include <future>
#include <optional>
#include <vector>

#include "moescope/model/weights.h"

namespace moescope::engine {

// Views the checkpoint. Not thread-safe; owns one reading thread at a time.
class LayerSource {
 public:
  // keep_layers: every layer that was loaded stays; else at most the current and the next one.
  LayerSource(const model::Checkpoint& checkpoint, at::ScalarType dtype, at::Device device, bool keep_layers);
  ~LayerSource();
  LayerSource(const LayerSource&) = delete;
  LayerSource& operator=(const LayerSource&) = delete;

  // The weights of a layer, valid until the next call. `next` is the layer that will be asked for then.
  const model::LayerWeights& take(std::int64_t layer_idx, std::optional<std::int64_t> next);

 private:
  model::LayerWeights load(std::int64_t layer_idx) const;
  bool mapped() const;  // weights are views into the file
  void upload(model::LayerWeights& weights) const;

  const model::Checkpoint& checkpoint_;
  at::ScalarType dtype_;
  at::Device device_;
  bool keep_layers_;
  std::optional<c10::Stream> copies_;                       // of a GPU
  std::vector<std::optional<model::LayerWeights>> layers_;  // [L]
  std::optional<std::int64_t> current_, ahead_;
  std::future<model::LayerWeights> reading_;
};

}  // namespace moescope::engine
