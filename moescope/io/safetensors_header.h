// The header of a safetensors file: JSON text to checked entries. Kept apart from files so that it can be fuzzed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/io/safetensors.h"

namespace moescope::io {

// The reference implementation refuses larger headers, too.
inline constexpr std::uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;

// No library computes on tensors of more dimensions.
inline constexpr std::size_t kMaxTensorDimensions = 64;

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes in the data part
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // by `begin`, covering [0, data_bytes) without gap or overlap
  std::map<std::string, std::string> metadata;
};

// Place of a dtype in the order in which the reference implementation lays out data (ascending width).
int dtype_rank(DType dtype);

// Bytes of a tensor; throws kInput on a negative dimension, on overflow, and on a size that is not whole bytes.
std::uint64_t tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape);
std::string shape_text(const std::vector<std::int64_t>& shape);  // "[2, 3]"

// Throws kInput for text that is not such a header (the message names the tensor) or does not fit `data_bytes` exactly.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t data_bytes);

}  // namespace moescope::io
