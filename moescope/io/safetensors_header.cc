#include "moescope/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"

namespace moescope::io {
namespace {

using nlohmann::json;

// Takes the events of the JSON parser and accepts only the form of a header, so that a hostile text is refused at its
// first wrong token and never costs more memory than its own size. Levels: 0 outside, 1 the header object, 2 a tensor
// or the metadata object, 3 shape or data_offsets.
class HeaderHandler : public nlohmann::json_sax<json> {
 public:
  SafetensorsHeader header;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_float(number_float_t, const string_t& text) override { return refuse(text.substr(0, 40)); }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_integer(number_integer_t value) override {
    if (level_ != 3) return refuse("a number");
    throw input_error("{} of {} holds the negative number {}", key_, quote_name(name_), value);
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (level_ != 3) return refuse("a number");
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      throw input_error("{} of {} holds {}, which is too large", key_, quote_name(name_), value);
    }
    std::vector<std::int64_t>& numbers = key_ == "shape" ? entry_.shape : offsets_;
    if (numbers.size() == kMaxTensorDimensions) throw input_error("{} of {} is too long", key_, quote_name(name_));
    numbers.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (level_ == 2 && in_metadata_) {
      header.metadata.emplace(key_, value);
      return true;
    }
    if (level_ != 2 || key_ != "dtype") return refuse("a string");
    try {
      entry_.dtype = parse_dtype(value);
    } catch (const Error& error) {
      throw error.at("tensor " + quote_name(name_));
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (level_ >= 2) return refuse("an object");
    if (level_ == 1) {
      keys_.clear();
      entry_ = {};
      offsets_.clear();
    }
    ++level_;
    return true;
  }

  bool key(string_t& name) override {
    if (level_ == 1) {
      name_ = name;
      if (!names_.insert(name).second) throw input_error("the header names {} twice", quote_name(name));
      in_metadata_ = name == "__metadata__";
      return true;
    }
    key_ = name;
    if (!keys_.insert(name).second) throw input_error("{} has the key {} twice", quote_name(name_), quote_name(name));
    if (!in_metadata_ && name != "dtype" && name != "shape" && name != "data_offsets") {
      throw input_error("{} has the unknown key {}", quote_name(name_), quote_name(name));
    }
    return true;
  }

  bool end_object() override {
    if (level_-- == 1 || in_metadata_) return true;
    for (const char* needed : {"dtype", "shape", "data_offsets"}) {
      if (!keys_.contains(needed)) throw input_error("tensor {} has no {}", quote_name(name_), needed);
    }
    if (offsets_.size() != 2) {
      throw input_error("tensor {} has {} data_offsets, expected 2", quote_name(name_), offsets_.size());
    }
    entry_.name = name_;
    entry_.begin = static_cast<std::uint64_t>(offsets_[0]);
    entry_.end = static_cast<std::uint64_t>(offsets_[1]);
    header.entries.push_back(std::move(entry_));
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != 2 || in_metadata_ || key_ == "dtype") return refuse("an array");
    ++level_;
    return true;
  }

  bool end_array() override {
    --level_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw input_error("the header is not JSON (byte {} of it)", position);
  }

 private:
  bool refuse(const std::string& found) const {
    if (level_ == 0) throw input_error("the header is not a JSON object but {}", found);
    if (level_ == 1) throw input_error("the header holds {} for {}, expected an object", found, quote_name(name_));
    throw input_error("{} of {} is or holds {}", quote_name(key_), quote_name(name_), found);
  }

  int level_ = 0;
  bool in_metadata_ = false;
  std::string name_, key_;  // of the open tensor; the last key inside it
  std::set<std::string, std::less<>> names_, keys_;
  SafetensorsEntry entry_;
  std::vector<std::int64_t> offsets_;
};

void check_sizes(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes) {
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin > entry.end) {
      throw input_error("tensor {} has data_offsets [{}, {}] that run backwards", quote_name(entry.name), entry.begin,
                        entry.end);
    }
    if (entry.end > data_bytes) {
      throw input_error("tensor {} ends at byte {} of the data, but the file holds {} (truncated?)",
                        quote_name(entry.name), entry.end, data_bytes);
    }
    std::uint64_t expected = 0;
    try {
      expected = tensor_bytes(entry.dtype, entry.shape);
    } catch (const Error& error) {
      throw error.at("tensor " + quote_name(entry.name));
    }
    if (entry.end - entry.begin != expected) {
      throw input_error("tensor {} of {} {} needs {} bytes, but its data_offsets [{}, {}] hold {}",
                        quote_name(entry.name), dtype_name(entry.dtype), shape_text(entry.shape), expected, entry.begin,
                        entry.end, entry.end - entry.begin);
    }
  }
}

// The format allows neither holes nor overlaps, so that no two tensors share bytes and no bytes are hidden.
void check_cover(const std::vector<SafetensorsEntry>& sorted, std::uint64_t data_bytes) {
  std::uint64_t covered = 0;
  const std::string* before = nullptr;
  for (const SafetensorsEntry& entry : sorted) {
    if (entry.begin < covered) {
      throw input_error("tensor {} begins at byte {} inside tensor {}, which ends at {}", quote_name(entry.name),
                        entry.begin, quote_name(*before), covered);
    }
    if (entry.begin > covered) {
      throw input_error("{} bytes before tensor {} belong to no tensor", entry.begin - covered, quote_name(entry.name));
    }
    covered = entry.end;
    before = &entry.name;
  }
  if (covered != data_bytes) {
    throw input_error("{} bytes at the end belong to no tensor", data_bytes - covered);
  }
}

}  // namespace

std::uint64_t tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t bits = static_cast<std::uint64_t>(dtype_bits(dtype));
  const bool has_zero = std::find(shape.begin(), shape.end(), 0) != shape.end();
  for (const std::int64_t dimension : shape) {
    if (dimension < 0) throw input_error("shape {} has a negative dimension", shape_text(shape));
    // With a zero dimension the others may be anything; the product is zero.
    if (!has_zero && __builtin_mul_overflow(bits, static_cast<std::uint64_t>(dimension), &bits)) {
      throw input_error("shape {} is too large", shape_text(shape));
    }
  }
  if (has_zero) return 0;
  if (bits % 8 != 0) throw input_error("shape {} of {} is not whole bytes", shape_text(shape), dtype_name(dtype));
  return bits / 8;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  constexpr std::size_t kMaxShown = 16;
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size() && i < kMaxShown; ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + (shape.size() > kMaxShown ? ", ...]" : "]");
}

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes) {
  HeaderHandler handler;
  json::sax_parse(text.begin(), text.end(), &handler);
  SafetensorsHeader header = std::move(handler.header);
  check_sizes(header.entries, data_bytes);
  std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_cover(header.entries, data_bytes);
  return header;
}

}  // namespace moescope::io
