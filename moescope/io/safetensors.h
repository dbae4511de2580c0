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

// Writes to PATH.tmp, flushes, renames. Data are aligned to 8 bytes as the reference writer does. Throws kInput if a
// name repeats or bytes do not match dtype and shape, kEnvironment if the disk is full.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace moescope::io
