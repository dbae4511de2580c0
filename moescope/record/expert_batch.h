// What one expert did to one batch, on the CPU: computed once, read by every part of the recorder.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/engine/batch.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/moe.h"

namespace moescope::record {

// Views; valid during a call. M rows.
struct ExpertBatch {
  std::int64_t layer_idx = 0;
  std::int64_t expert_idx = 0;
  const engine::Batch& batch;
  std::span<const std::int64_t> rows;   // [M], ascending
  std::span<const std::int64_t> slots;  // [M], row * K + place among the token's experts
  std::span<const float> weights;       // [M], applied router weights
  std::span<const float> norms;         // [M], L2 norms of the expert's outputs
  std::span<const float> scores;        // [M], weight * norm
  const model::ExpertCall& call;        // tensors on the model's device
};

enum class ExpertKind {
  kRouted,  // its router chooses it
  kDense,   // the one expert of a layer without a router
  kShared,  // every token of a sparse layer reaches it besides those chosen for it
};

// Sizes that every part needs. Arrays are [L, E], or [L, E + 1] of a model with shared experts, whose number is E,
// behind the last routed one. Of a dense layer among sparse ones only expert 0 exists, it has d_dense neurons and gets
// every token.
struct RecordShape {
  std::int64_t n_layers = 0, n_experts = 0, n_experts_per_token = 0;               // n_experts: E, routed ones
  std::int64_t d_model = 0, d_expert = 0, d_dense = 0, d_shared = 0, d_vocab = 0;  // d_shared 0: no shared experts
  std::vector<bool> dense_layers;                                                  // [L]
  bool dense(std::int64_t layer) const { return dense_layers[static_cast<std::size_t>(layer)]; }
  bool shared(std::int64_t layer) const { return d_shared > 0 && !dense(layer); }
  // Those between which a router chooses, or the one of a dense layer; and with the shared one.
  std::int64_t n_routed_in(std::int64_t layer) const { return dense(layer) ? 1 : n_experts; }
  std::int64_t n_experts_in(std::int64_t layer) const { return n_routed_in(layer) + (shared(layer) ? 1 : 0); }
  std::int64_t n_per_token_in(std::int64_t layer) const { return dense(layer) ? 1 : n_experts_per_token; }
  ExpertKind kind(std::int64_t layer, std::int64_t expert) const {
    return dense(layer) ? ExpertKind::kDense : expert == n_experts ? ExpertKind::kShared : ExpertKind::kRouted;
  }
  std::int64_t d_hidden(std::int64_t layer, std::int64_t expert) const {
    const ExpertKind of = kind(layer, expert);
    return of == ExpertKind::kDense ? d_dense : of == ExpertKind::kShared ? d_shared : d_expert;
  }
  std::int64_t n_columns() const { return n_experts + (d_shared > 0 ? 1 : 0); }
  std::size_t n_all() const { return static_cast<std::size_t>(n_layers * n_columns()); }
  std::size_t idx(std::int64_t layer, std::int64_t expert) const {
    return static_cast<std::size_t>(layer * n_columns() + expert);
  }
};

// A part's accumulators as named arrays, borrowed until they are written.
using StateArrays = std::vector<io::TensorToWrite>;

// Reads an array of a saved state into `values`, whose size is already right; throws kInput if it is not that of the
// file.
template <typename T>
void load_array(const io::SafetensorsFile& state, const std::string& name, std::vector<T>& values) {
  std::vector<T> loaded = state.at(name).template to_vector<T>();
  if (loaded.size() != values.size()) {
    throw input_error("{}: '{}' has {} elements, expected {}", state.path().string(), name, loaded.size(),
                      values.size());
  }
  values = std::move(loaded);
}

}  // namespace moescope::record
