// The safetensors format: an 8-byte little-endian header length, a JSON header {name: {dtype, shape, data_offsets}},
// then the data. Read memory-mapped without a copy, written to a temporary name and renamed.
// Source: https://github.com/huggingface/safetensors (format section of its README).
//
// Goals: every dtype of the format, single files and shards with an index; every size is checked before use, so that a
// truncated, oversized, overlapping or misnamed tensor is an error that names file and tensor.
// Non-goals: arithmetic on the data (model does that), formats that execute code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace moescope::io {

// Every dtype of the format, by its name there.
enum class DType {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kF6E2M3,
  kF6E3M2,
  kF4,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kI64,
  kU64,
  kF64
};

const char* dtype_name(DType dtype);         // "BF16"
int dtype_bits(DType dtype);                 // 4 for kF4, 16 for kBF16
DType parse_dtype(const std::string& name);  // throws kInput on an unknown name

// A read-only file in memory. Owns the mapping; movable; safe to read from many threads.
class MappedFile {
 public:
  // Throws kInput if the file cannot be opened or mapped. An empty file maps to an empty span.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::filesystem::path& path() const { return path_; }
  // Hints to the kernel, for layers read ahead and dropped behind; never an error.
  void will_need(std::size_t begin, std::size_t end) const;
  void drop(std::size_t begin, std::size_t end) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
};

// One tensor of a file: a view whose bytes live as long as `file`.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // row-major, little-endian
  std::shared_ptr<const MappedFile> file;

  std::int64_t n_elements() const;
  // A copy of the elements; throws kInput if the dtype is not that of T (float, double, int32_t, int64_t, ...).
  template <typename T>
  std::vector<T> to_vector() const;
};

// The tensors of one file or of all shards of a model. Read-only after construction; thread-safe.
class SafetensorsFile {
 public:
  // `path`: a .safetensors file, or a model.safetensors.index.json (its shards are opened, and every tensor must stand
  // in the shard that the index names).
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  // Throws kInput naming the file if absent.
  const TensorView& at(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }
  std::uint64_t total_bytes() const;

 private:
  std::filesystem::path path_;
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

// What to write: bytes are borrowed until write_safetensors returns.
struct TensorToWrite {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// The element type of a C++ type, for to_vector and tensor_to_write.
template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::kF32;
  if constexpr (std::is_same_v<T, double>) return DType::kF64;
  if constexpr (std::is_same_v<T, std::int8_t>) return DType::kI8;
  if constexpr (std::is_same_v<T, std::int16_t>) return DType::kI16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::kI32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::kI64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kU8;
  if constexpr (std::is_same_v<T, std::uint16_t>) return DType::kU16;
  if constexpr (std::is_same_v<T, std::uint32_t>) return DType::kU32;
  if constexpr (std::is_same_v<T, std::uint64_t>) return DType::kU64;
}

template <typename T>
TensorToWrite tensor_to_write(std::string name, std::vector<std::int64_t> shape, std::span<const T> values) {
  return {std::move(name), dtype_of<T>(), std::move(shape), std::as_bytes(values)};
}
template <typename T>
TensorToWrite tensor_to_write(std::string name, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  return tensor_to_write(std::move(name), std::move(shape), std::span<const T>(values));
}

// Writes to PATH.tmp, flushes, renames. Tensors are ordered by falling width and then by name, and the header is padded
// to 8 bytes, as the reference writer does, so that every tensor is aligned. Throws kInput if a name repeats or bytes
// do not match dtype and shape, kEnvironment if the disk is full.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata = {});

// Writes a file whose tensors do not fit in memory together: shapes are told first, then the bytes of each tensor are
// appended in pieces, in any order of tensors. Not thread-safe. Without finish() nothing is left on disk.
class SafetensorsWriter {
 public:
  // `bytes` of the plan is not read. Throws as write_safetensors does.
  SafetensorsWriter(const std::filesystem::path& path, std::span<const TensorToWrite> plan,
                    const std::map<std::string, std::string>& metadata = {});
  ~SafetensorsWriter();
  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  SafetensorsWriter& operator=(SafetensorsWriter&&) noexcept;

  // Throws kInput for an unknown tensor or more bytes than its shape holds, kEnvironment if the disk is full.
  void append(const std::string& name, std::span<const std::byte> bytes);
  // Renames to the final name; throws kInput naming a tensor that is not complete.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace moescope::io
