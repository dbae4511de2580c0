// The weights of a checkpoint by role: mapped, checked once, and taken layer by layer.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/config.h"
#include "moescope/model/family.h"

namespace moescope::model {

struct AttentionWeights {
  at::Tensor query;       // [H * d_head, D]
  at::Tensor key;         // [H_kv * d_head, D]
  at::Tensor value;       // [H_kv * d_head, D]
  at::Tensor output;      // [D, H * d_head]
  at::Tensor query_norm;  // [H * d_head], undefined without QkNorm::kWhole
  at::Tensor key_norm;    // [H_kv * d_head], likewise
};

struct ExpertWeights {
  at::Tensor gate;  // [F, D]
  at::Tensor up;    // [F, D]
  at::Tensor down;  // [D, F]
};

struct LayerWeights {
  at::Tensor input_norm;           // [D]
  at::Tensor post_attention_norm;  // [D]
  AttentionWeights attention;
  at::Tensor router;                   // [E, D]
  std::vector<ExpertWeights> experts;  // E
};

struct EmbeddingWeights {
  at::Tensor token_embedding;  // [V, D]
  at::Tensor final_norm;       // [D]
  at::Tensor unembedding;      // [V, D]; the token embedding itself where they are tied
};

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
  std::uint64_t layer_bytes() const;  // of one layer as stored

  LayerWeights layer(std::int64_t layer_idx, at::ScalarType dtype, at::Device device) const;
  EmbeddingWeights embeddings(at::ScalarType dtype, at::Device device) const;
  // Hints for layers read ahead and dropped behind (DESIGN: engine). A dropped layer's pages no longer count as this
  // process's memory; they are read again when they are next touched.
  void will_need_layer(std::int64_t layer_idx) const;
  void drop_layer(std::int64_t layer_idx) const;

 private:
  at::Tensor tensor(const std::string& name, at::ScalarType dtype, at::Device device) const;
  const WeightSpec* find(Role role) const;
  at::Tensor take(Role role, std::int64_t layer, std::int64_t expert, at::ScalarType dtype, at::Device device) const;
  void check() const;

  io::CheckpointFolder folder_;
  ModelConfig config_;
  std::vector<WeightSpec> specs_;
  io::SafetensorsFile file_;
  at::ScalarType stored_dtype_ = at::kFloat;
};

// config.json of a folder, read by its family; errors name the file.
ModelConfig read_config(const io::CheckpointFolder& folder);

}  // namespace moescope::model
