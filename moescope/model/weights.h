// The weights of a checkpoint by role: mapped, checked once, and taken layer by layer.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/config.h"
#include "moescope/model/family.h"

namespace moescope::model {

struct Linear {
  at::Tensor weight;  // [out, in]; undefined where the model has no such part
  at::Tensor bias;    // [out] or undefined

  at::Tensor operator()(const at::Tensor& x) const { return at::linear(x, weight, optional(bias)); }
  static std::optional<at::Tensor> optional(const at::Tensor& tensor) {
    return tensor.defined() ? std::optional(tensor) : std::nullopt;
  }
};

struct Norm {
  at::Tensor weight;  // undefined for a norm without parameters
  at::Tensor bias;    // of LayerNorm, or undefined
};

// Shapes: Role. Parts that the family does not have are undefined.
struct AttentionWeights {
  Linear query, key, value, output;
  Norm query_norm, key_norm;
  at::Tensor sinks;
  Linear query_down, query_up, key_value_down, key_value_up;
  Norm query_latent_norm, key_value_latent_norm;
};

struct ExpertWeights {
  Linear gate, up, down;
};

// Routers are float32 whatever the model's dtype.
struct LayerWeights {
  Norm attention_norm, feed_forward_norm;
  AttentionWeights attention;
  Linear router;
  at::Tensor selection_bias;           // [E] f32
  std::vector<ExpertWeights> experts;  // E
  ExpertWeights shared;
  Linear shared_router;
};

struct EmbeddingWeights {
  at::Tensor token_embedding;     // [V, D]
  at::Tensor position_embedding;  // [n_ctx, D], or undefined
  Norm final_norm;
  at::Tensor unembedding;       // [V, D]; the token embedding itself where they are tied
  at::Tensor unembedding_bias;  // [V] or undefined
};

// Calls visit for every defined tensor of a layer; it may put another one in its place.
void for_each_tensor(LayerWeights& layer, const std::function<void(at::Tensor&)>& visit);
// Every defined tensor of a layer, in the same order.
std::vector<at::Tensor> tensors_of(const LayerWeights& layer);

// Dtypes that models are stored in; throws kInput naming the tensor for others.
at::ScalarType scalar_type(io::DType dtype, const std::string& tensor_name);
io::DType storage_dtype(at::ScalarType type);

// The weights as they lie on disk. Owns the mapping; tensors with the stored dtype on the CPU are views into it, so
// they must not outlive this object and must not be written to. Thread-safe.
class Checkpoint {
 public:
  // Reads config.json and maps the weights. Throws kInput for a missing, extra or misshapen tensor (tensor, expected
  // and found shape, file), or weights of mixed or unsupported dtype.
  static Checkpoint open(const io::CheckpointFolder& folder);

  const ModelConfig& config() const { return config_; }
  const io::CheckpointFolder& folder() const { return folder_; }
  at::ScalarType stored_dtype() const { return stored_dtype_; }
  std::uint64_t layer_bytes() const;                      // of the largest layer as stored
  std::uint64_t layer_bytes(at::ScalarType dtype) const;  // and decoded
  // Tensors of the files that no forward pass reads, as the family lists them; the rest is an error in open().
  const std::vector<std::string>& unused_tensors() const { return unused_; }

  LayerWeights layer(std::int64_t layer_idx, at::ScalarType dtype, at::Device device) const;
  EmbeddingWeights embeddings(at::ScalarType dtype, at::Device device) const;
  // Hints for layers read ahead and dropped behind (engine/engine.h). A dropped layer's pages no longer count as this
  // process's memory; they are read again when they are next touched.
  void will_need_layer(std::int64_t layer_idx) const;
  void drop_layer(std::int64_t layer_idx) const;

 private:
  at::Tensor mapped(const std::string& name) const;
  at::Tensor decoded(const WeightSpec& spec, std::int64_t layer, std::int64_t expert) const;
  at::Tensor take(Role role, Part part, std::int64_t layer, std::int64_t expert, at::ScalarType dtype,
                  at::Device device) const;
  std::vector<std::string> stored_names(const WeightSpec& spec, std::int64_t layer, std::int64_t expert) const;
  void check();
  void check_tensor(const WeightSpec& spec, std::int64_t layer, std::int64_t expert) const;
  template <typename Visit>
  void for_each_stored(std::int64_t layer, const Visit& visit) const;

  io::CheckpointFolder folder_;
  ModelConfig config_;
  std::vector<WeightSpec> specs_;
  std::vector<std::string> unused_;
  std::int64_t block_rows_ = 0, block_columns_ = 0;  // of block-scaled 8-bit weights; 0: none
  io::SafetensorsFile file_;
  at::ScalarType stored_dtype_ = at::kFloat;
};

// config.json of a folder, read by its family; errors name the file.
ModelConfig read_config(const io::CheckpointFolder& folder);

}  // namespace moescope::model
