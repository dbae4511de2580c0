#include "moescope/io/safetensors.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/quote.h"
#include "moescope/io/safetensors_header.h"

static_assert(std::endian::native == std::endian::little, "tensor bytes are used in place, little-endian");

namespace moescope::io {
namespace {

namespace fs = std::filesystem;

struct DTypeInfo {
  DType dtype;
  const char* name;
  int bits;
};

// In the order of the reference implementation, which also orders the data of a file by it (writer).
constexpr DTypeInfo kDTypes[] = {
    {DType::kBool, "BOOL", 8},
    {DType::kF4, "F4", 4},
    {DType::kF6E2M3, "F6_E2M3", 6},
    {DType::kF6E3M2, "F6_E3M2", 6},
    {DType::kU8, "U8", 8},
    {DType::kI8, "I8", 8},
    {DType::kF8E5M2, "F8_E5M2", 8},
    {DType::kF8E4M3, "F8_E4M3", 8},
    {DType::kF8E8M0, "F8_E8M0", 8},
    {DType::kF8E4M3Fnuz, "F8_E4M3FNUZ", 8},
    {DType::kF8E5M2Fnuz, "F8_E5M2FNUZ", 8},
    {DType::kI16, "I16", 16},
    {DType::kU16, "U16", 16},
    {DType::kF16, "F16", 16},
    {DType::kBF16, "BF16", 16},
    {DType::kI32, "I32", 32},
    {DType::kU32, "U32", 32},
    {DType::kF32, "F32", 32},
    {DType::kC64, "C64", 64},
    {DType::kF64, "F64", 64},
    {DType::kI64, "I64", 64},
    {DType::kU64, "U64", 64},
};

const DTypeInfo& info_of(DType dtype) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.dtype == dtype) return info;
  }
  MOESCOPE_ASSERT(!"every dtype is in the table");
  std::abort();
}

struct Contents {
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};

Contents read_unplaced(const std::shared_ptr<const MappedFile>& file) {
  const std::span<const std::byte> bytes = file->bytes();
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) {
    throw input_error("{} bytes are too few for a safetensors file (truncated?)", bytes.size());
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  if (header_bytes > kMaxSafetensorsHeaderBytes) {
    throw input_error("a header of {} bytes is over the limit of {}: not a safetensors file?", header_bytes,
                      kMaxSafetensorsHeaderBytes);
  }
  if (header_bytes > bytes.size() - sizeof(header_bytes)) {
    throw input_error("a header of {} bytes does not fit in a file of {} (truncated?)", header_bytes, bytes.size());
  }
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + sizeof(header_bytes);
  const auto data = bytes.subspan(sizeof(header_bytes) + static_cast<std::size_t>(header_bytes));
  SafetensorsHeader header =
      parse_safetensors_header(std::string_view(text, static_cast<std::size_t>(header_bytes)), data.size());
  Contents contents;
  contents.metadata = std::move(header.metadata);
  for (SafetensorsEntry& entry : header.entries) {
    const auto view =
        data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin));
    contents.tensors.emplace(entry.name, TensorView{entry.name, entry.dtype, std::move(entry.shape), view, file});
  }
  return contents;
}

Contents read_one(const fs::path& path) {
  const auto file = MappedFile::open(path);
  try {
    return read_unplaced(file);
  } catch (const Error& error) {
    throw error.at(path.string());
  }
}

// {"weight_map": {tensor: shard file name}}; names checked to lie in the folder of the index.
std::map<std::string, std::string> read_weight_map(const fs::path& index_path) {
  const nlohmann::json index = read_json(index_path);
  const auto map = index.is_object() ? index.find("weight_map") : index.end();
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    throw input_error("no object \"weight_map\": not an index of shards").at(index_path.string());
  }
  if (map->empty()) throw input_error("\"weight_map\" names no tensor").at(index_path.string());
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      throw input_error("the shard of tensor {} is not a string", quote_name(tensor)).at(index_path.string());
    }
    const auto name = shard.get<std::string>();
    if (name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos ||
        name.find('\0') != std::string::npos) {
      throw input_error("the shard {} of tensor {} is not a plain file name", quote_name(name), quote_name(tensor))
          .at(index_path.string());
    }
    shard_of.emplace(tensor, name);
  }
  return shard_of;
}

Contents read_shards(const fs::path& index_path) {
  const auto shard_of = read_weight_map(index_path);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : shard_of) shards.insert(shard);
  Contents all;
  for (const std::string& shard : shards) {
    const fs::path path = index_path.parent_path() / shard;
    std::error_code failed;
    if (!fs::exists(path, failed)) {
      throw input_error("shard {} is missing", quote_name(shard)).at(index_path.string()).hint("fetch the model again");
    }
    Contents one = read_one(path);
    for (auto& [name, tensor] : one.tensors) {
      const auto place = shard_of.find(name);
      if (place == shard_of.end()) {
        throw input_error("tensor {} is not in the index {}", quote_name(name), index_path.filename().string())
            .at(path.string());
      }
      if (place->second != shard) {
        throw input_error("tensor {} stands here, but the index puts it into {}", quote_name(name),
                          quote_name(place->second))
            .at(path.string());
      }
      all.tensors.emplace(name, std::move(tensor));
    }
    all.metadata.merge(one.metadata);
  }
  for (const auto& [name, shard] : shard_of) {
    if (all.tensors.contains(name)) continue;
    throw input_error("tensor {} is not in the shard {} that the index names", quote_name(name), quote_name(shard))
        .at(index_path.string());
  }
  return all;
}

}  // namespace

const char* dtype_name(DType dtype) { return info_of(dtype).name; }

int dtype_rank(DType dtype) { return static_cast<int>(&info_of(dtype) - kDTypes); }

int dtype_bits(DType dtype) { return info_of(dtype).bits; }

DType parse_dtype(const std::string& name) {
  for (const DTypeInfo& info : kDTypes) {
    if (name == info.name) return info.dtype;
  }
  throw input_error("unknown dtype {}", quote_name(name));
}

std::int64_t TensorView::n_elements() const {
  std::int64_t n = 1;
  for (const std::int64_t dimension : shape) {
    if (dimension == 0) return 0;
  }
  for (const std::int64_t dimension : shape) n *= dimension;  // cannot overflow: checked against the file size
  return n;
}

template <typename T>
std::vector<T> TensorView::to_vector() const {
  if (dtype != dtype_of<T>()) {
    const Error error =
        input_error("tensor {} is {}, expected {}", quote_name(name), dtype_name(dtype), dtype_name(dtype_of<T>()));
    throw file ? error.at(file->path().string()) : error;
  }
  std::vector<T> values(static_cast<std::size_t>(n_elements()));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());  // the data need not be aligned
  return values;
}

template std::vector<float> TensorView::to_vector() const;
template std::vector<double> TensorView::to_vector() const;
template std::vector<std::int8_t> TensorView::to_vector() const;
template std::vector<std::int16_t> TensorView::to_vector() const;
template std::vector<std::int32_t> TensorView::to_vector() const;
template std::vector<std::int64_t> TensorView::to_vector() const;
template std::vector<std::uint8_t> TensorView::to_vector() const;
template std::vector<std::uint16_t> TensorView::to_vector() const;
template std::vector<std::uint32_t> TensorView::to_vector() const;
template std::vector<std::uint64_t> TensorView::to_vector() const;

SafetensorsFile SafetensorsFile::open(const fs::path& path) {
  Contents contents = path.extension() == ".json" ? read_shards(path) : read_one(path);
  SafetensorsFile file;
  file.path_ = path;
  file.tensors_ = std::move(contents.tensors);
  file.metadata_ = std::move(contents.metadata);
  return file;
}

const TensorView& SafetensorsFile::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw input_error("no tensor {}", quote_name(name)).at(path_.string());
  return found->second;
}

std::uint64_t SafetensorsFile::total_bytes() const {
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : tensors_) total += tensor.bytes.size();
  return total;
}

}  // namespace moescope::io
