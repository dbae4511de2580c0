// Tensors of a safetensors file as described structs (describe.h). A tensor is a std::vector of its elements,
// row-major; its shape is told in letters, each bound to a member, or in numbers:
//
//   struct InputTokens {
//     std::int64_t n = 0;
//     std::vector<std::int32_t> expert;
//     template <typename Self, typename Visitor>
//     static void describe(Self& self, Visitor& field) {
//       field.size("nnz", self.n, "counts that are not 0");
//       field("expert", self.expert, "nnz", "place of the expert in its layer");
//     }
//   };
//
// Reading takes a letter's size from the first tensor that has it; a tensor of another shape or type is an error
// (kInput) that names file and tensor. Tensors without a field are left unread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/describe.h"

namespace moescope::run {

// One tensor as the documentation shows it: type "I32", shape "[W, 5]".
struct TensorAbout {
  std::string name, type, shape, meaning;
};

namespace detail {

// The letters of a shape ("W 5 3"), and the text of a shape ("[W, 5, 3]").
std::vector<std::string> shape_letters(const std::string& shape);
std::string shape_text(const std::string& shape);

// The sizes of letters by name; numbers stand for themselves.
class Sizes {
 public:
  void bind(const std::string& letter, std::int64_t size) { sizes_[letter] = size; }
  bool knows(const std::string& letter) const { return sizes_.contains(letter); }
  std::int64_t at(const std::string& letter) const { return sizes_.at(letter); }
  std::vector<std::int64_t> shape(const std::string& letters) const;
  // Binds what is new; throws kInput naming the shapes if what is known differs.
  void match(const std::string& letters, const std::vector<std::int64_t>& shape);

 private:
  std::map<std::string, std::int64_t> sizes_;
};

struct TensorWriter {
  std::vector<io::TensorToWrite>& tensors;
  const std::string& prefix;
  Sizes sizes;
  void size(const char* letter, std::int64_t n, const char*) { sizes.bind(letter, n); }
  template <typename T>
  void operator()(const char* name, const std::vector<T>& values, const char* shape, const char*) {
    tensors.push_back(io::tensor_to_write(prefix + name, sizes.shape(shape), values));
  }
};

struct TensorReader {
  const io::SafetensorsFile& file;
  const std::string& prefix;
  Sizes sizes;
  void size(const char*, std::int64_t&, const char*) {}
  template <typename T>
  void operator()(const char* name, std::vector<T>& values, const char* shape, const char*) {
    const io::TensorView& tensor = file.at(prefix + name);
    try {
      sizes.match(shape, tensor.shape);
    } catch (const Error& error) {
      throw error.at(fmt::format("{}: tensor {}{}", file.path().string(), prefix, name));
    }
    values = tensor.to_vector<T>();
  }
};

struct SizeSetter {
  const Sizes& sizes;
  void size(const char* letter, std::int64_t& n, const char*) {
    if (sizes.knows(letter)) n = sizes.at(letter);
  }
  template <typename T>
  void operator()(const char*, const std::vector<T>&, const char*, const char*) {}
};

struct TensorCollector {
  std::vector<TensorAbout>& tensors;
  const std::string& prefix;
  void size(const char*, std::int64_t, const char*) {}
  template <typename T>
  void operator()(const char* name, const std::vector<T>&, const char* shape, const char* meaning) {
    tensors.push_back({prefix + name, io::dtype_name(io::dtype_of<T>()), shape_text(shape), meaning});
  }
};

}  // namespace detail

// Adds the tensors of `value` to what is to be written, under names that begin with `prefix`. Their bytes are borrowed
// from `value`. A vector that does not fill its shape is refused by the writer, unless its bytes are told later
// (io::SafetensorsWriter).
template <typename T>
void add_tensors(std::vector<io::TensorToWrite>& tensors, const T& value, const std::string& prefix = "") {
  detail::TensorWriter writer{tensors, prefix, {}};
  T::describe(value, writer);
}

// A file of the same tensors for every layer l, under "layers.{l}.".
std::string layer_prefix(std::int64_t layer);
template <typename T>
void write_layers(const std::filesystem::path& path, const std::vector<T>& layers) {
  std::vector<io::TensorToWrite> tensors;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    add_tensors(tensors, layers[l], layer_prefix(static_cast<std::int64_t>(l)));
  }
  io::write_safetensors(path, tensors);
}

template <typename T>
T read_tensors(const io::SafetensorsFile& file, const std::string& prefix = "") {
  T value;
  detail::TensorReader reader{file, prefix, {}};
  T::describe(value, reader);
  detail::SizeSetter setter{reader.sizes};
  T::describe(value, setter);
  return value;
}

template <typename T>
std::vector<TensorAbout> tensors_of(const std::string& prefix = "") {
  std::vector<TensorAbout> tensors;
  const T value{};
  detail::TensorCollector collector{tensors, prefix};
  T::describe(value, collector);
  return tensors;
}

}  // namespace moescope::run
