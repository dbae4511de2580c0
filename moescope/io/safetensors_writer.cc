#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/atomic_file.h"
#include "moescope/io/quote.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/safetensors_header.h"

namespace moescope::io {
namespace {

struct DataRange {
  std::uint64_t begin = 0, size = 0, written = 0;  // `begin` counts from the start of the file
};

// The order of the data, as in the reference writer: wide dtypes first, so that every tensor is aligned; then by name.
std::vector<const TensorToWrite*> in_file_order(std::span<const TensorToWrite> tensors) {
  std::vector<const TensorToWrite*> order;
  for (const TensorToWrite& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorToWrite* a, const TensorToWrite* b) {
    const int a_rank = dtype_rank(a->dtype), b_rank = dtype_rank(b->dtype);
    return a_rank != b_rank ? a_rank > b_rank : a->name < b->name;
  });
  return order;
}

std::string dump(const nlohmann::ordered_json& value) {
  try {
    return value.dump();
  } catch (const nlohmann::json::exception&) {
    throw input_error("a tensor name or metadata text is not UTF-8");
  }
}

// The 8 bytes of length and the header, and where each tensor goes.
std::string make_header(std::span<const TensorToWrite> tensors, const std::map<std::string, std::string>& metadata,
                        std::map<std::string, DataRange>& ranges) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const TensorToWrite* tensor : in_file_order(tensors)) {
    if (tensor->name == "__metadata__" || ranges.contains(tensor->name)) {
      throw input_error("the name {} is taken", quote_name(tensor->name));
    }
    std::uint64_t size = 0;
    try {
      size = tensor_bytes(tensor->dtype, tensor->shape);
    } catch (const Error& error) {
      throw error.at("tensor " + quote_name(tensor->name));
    }
    header[tensor->name] = {
        {"dtype", dtype_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {offset, offset + size}}};
    ranges[tensor->name] = {offset, size, 0};
    offset += size;
  }
  std::string text = dump(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > kMaxSafetensorsHeaderBytes)
    throw input_error("a header of {} bytes is over the limit", text.size());
  const std::uint64_t length = text.size();
  char length_bytes[sizeof(length)];
  std::memcpy(length_bytes, &length, sizeof(length));
  for (auto& [name, range] : ranges) range.begin += sizeof(length) + length;
  return std::string(length_bytes, sizeof(length)) + text;
}

}  // namespace

struct SafetensorsWriter::State {
  explicit State(const std::filesystem::path& path) : file(path) {}
  AtomicFile file;
  std::map<std::string, DataRange> ranges;
};

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::span<const TensorToWrite> plan,
                                     const std::map<std::string, std::string>& metadata) {
  std::map<std::string, DataRange> ranges;
  std::string header;
  try {
    header = make_header(plan, metadata, ranges);
  } catch (const Error& error) {
    throw error.at(path.string());
  }
  state_ = std::make_unique<State>(path);
  state_->ranges = std::move(ranges);
  state_->file.write(header);
}

SafetensorsWriter::~SafetensorsWriter() = default;
SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter& SafetensorsWriter::operator=(SafetensorsWriter&&) noexcept = default;

void SafetensorsWriter::append(const std::string& name, std::span<const std::byte> bytes) {
  const auto found = state_->ranges.find(name);
  const std::string place = state_->file.path().string();
  if (found == state_->ranges.end()) throw input_error("no tensor {} was planned", quote_name(name)).at(place);
  DataRange& range = found->second;
  if (bytes.size() > range.size - range.written) {
    throw input_error("tensor {} holds {} bytes, more were given", quote_name(name), range.size).at(place);
  }
  state_->file.write_at(range.begin + range.written, bytes);
  range.written += bytes.size();
}

void SafetensorsWriter::finish() {
  for (const auto& [name, range] : state_->ranges) {
    if (range.written == range.size) continue;
    throw input_error("tensor {} needs {} bytes, {} were given", quote_name(name), range.size, range.written)
        .at(state_->file.path().string());
  }
  state_->file.commit();
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata) {
  SafetensorsWriter writer(path, tensors, metadata);
  for (const TensorToWrite* tensor : in_file_order(tensors)) writer.append(tensor->name, tensor->bytes);
  writer.finish();
}

}  // namespace moescope::io
