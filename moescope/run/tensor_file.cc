#include "moescope/run/tensor_file.h"

#include <charconv>
#include <sstream>

namespace moescope::run {

std::string layer_prefix(std::int64_t layer) { return fmt::format("layers.{}.", layer); }

namespace detail {
namespace {

// The number that a part of a shape is, or nothing for a letter.
std::optional<std::int64_t> number_of(const std::string& part) {
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (failed != std::errc() || end != part.data() + part.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<std::string> shape_letters(const std::string& shape) {
  std::istringstream parts(shape);
  std::vector<std::string> letters;
  for (std::string part; parts >> part;) letters.push_back(part);
  return letters;
}

std::string shape_text(const std::string& shape) { return fmt::format("[{}]", fmt::join(shape_letters(shape), ", ")); }

std::vector<std::int64_t> Sizes::shape(const std::string& letters) const {
  std::vector<std::int64_t> sizes;
  for (const std::string& part : shape_letters(letters)) {
    const std::optional<std::int64_t> number = number_of(part);
    sizes.push_back(number ? *number : at(part));
  }
  return sizes;
}

void Sizes::match(const std::string& letters, const std::vector<std::int64_t>& shape) {
  const std::vector<std::string> parts = shape_letters(letters);
  bool matches = parts.size() == shape.size();
  for (std::size_t i = 0; matches && i < parts.size(); ++i) {
    const std::optional<std::int64_t> number = number_of(parts[i]);
    if (!number && !knows(parts[i])) bind(parts[i], shape[i]);
    matches = shape[i] == (number ? *number : at(parts[i]));
  }
  if (matches) return;
  std::string known;
  for (const auto& [letter, size] : sizes_) known += fmt::format("{}{} = {}", known.empty() ? "" : ", ", letter, size);
  throw input_error("shape [{}], expected {}{}", fmt::join(shape, ", "), shape_text(letters),
                    known.empty() ? "" : " with " + known);
}

}  // namespace detail
}  // namespace moescope::run
