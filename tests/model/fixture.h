// Fixtures that tests/reference made with transformers, as tensors.
#pragma once

#include <ATen/ATen.h>

#include <string>

#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/weights.h"

namespace moescope::testing {

inline std::string fixture_folder(const std::string& name) {
  return std::string(MOESCOPE_SOURCE_DIR) + "/tests/fixtures/" + name;
}

inline model::Checkpoint open_fixture(const std::string& variant) {
  return model::Checkpoint::open(io::find_checkpoint(fixture_folder("model/olmoe/" + variant)));
}

inline at::Tensor tensor_of(const io::SafetensorsFile& file, const std::string& name) {
  const io::TensorView& view = file.at(name);
  const at::ScalarType type = view.dtype == io::DType::kI32 ? at::kInt : model::scalar_type(view.dtype, name);
  return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions().dtype(type)).clone();
}

// Largest |a - b| over the largest |b|: the measure of every bound on logits.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor wide = b.to(at::kDouble);
  return ((a.to(at::kDouble) - wide).abs().max() / wide.abs().max()).item<double>();
}

}  // namespace moescope::testing
