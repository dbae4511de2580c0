// The parameters of a model in training: float32 leaves with gradients, experts stacked to [E, ...], seen by the
// model's blocks as the same LayerWeights that a checkpoint gives.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/io/safetensors.h"
#include "moescope/model/config.h"
#include "moescope/model/family.h"
#include "moescope/model/language_model.h"
#include "moescope/train/settings.h"

namespace moescope::train {

struct Parameter {
  model::Role role;
  std::int64_t layer = -1;  // -1: not part of a layer
  std::string name;         // the checkpoint's name with {e} for stacked experts
  at::Tensor value;         // f32 leaf; experts' [E, rows, columns]
};

class Parameters {
 public:
  // Drawn from N(0, std^2) with the settings' deviations (norms: 1) and `seed`, on the CPU, then moved: the same on
  // every device.
  static Parameters init(const model::ModelConfig& config, const ModelSettings& settings, std::int64_t seed,
                         at::Device device);
  // As a checkpoint holds them, in float32.
  static Parameters load(const model::Checkpoint& checkpoint, at::Device device);

  const model::ModelConfig& config() const { return config_; }
  std::vector<Parameter>& all() { return parameters_; }
  const std::vector<Parameter>& all() const { return parameters_; }

  // A model over these parameters for one forward pass; values are cast to `dtype` (differentiably).
  model::LanguageModel as_model(at::ScalarType dtype) const;

  // model.safetensors with the family's names, one tensor an expert, in `dtype`.
  void save(const std::filesystem::path& file, at::ScalarType dtype) const;

 private:
  static Parameters make(const model::ModelConfig& config);

  model::ModelConfig config_;
  std::vector<Parameter> parameters_;
};

// The bytes of a contiguous CPU tensor for io::write_safetensors; the tensor must outlive the result.
io::TensorToWrite tensor_to_write(const std::string& name, const at::Tensor& tensor);

}  // namespace moescope::train
