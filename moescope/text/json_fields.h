// Reads the fields of one JSON object of tokenizer.json; a missing or mistyped one is an error that names it.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"

namespace moescope::text {

// A token id: an integer in [0, 2^31). `name` is called for the message only.
template <typename Name>
std::int32_t to_token_id(const nlohmann::json& value, const Name& name) {
  constexpr auto kMax = std::numeric_limits<std::int32_t>::max() - 1;
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > static_cast<std::uint64_t>(kMax)) {
    throw input_error("{} is not a token id: {}", name(), io::quote_name(value.dump()));
  }
  return static_cast<std::int32_t>(value.get<std::uint64_t>());
}

// A view: the object must outlive it. `place` is its path in the file ("pre_tokenizer.pretokenizers[1]").
class JsonFields {
 public:
  JsonFields(const nlohmann::json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) throw input_error("{} is not an object", place_);
  }

  const std::string& place() const { return place_; }
  std::string place_of(const std::string& key) const { return place_ + "." + key; }

  const nlohmann::json& required(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw input_error("{} has no {}", place_, io::quote_name(key));
    return *found;
  }

  // Null and absent are the same.
  const nlohmann::json* optional(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  std::string string(const char* key) const { return as_string(key, required(key)); }
  std::optional<std::string> optional_string(const char* key) const {
    const nlohmann::json* value = optional(key);
    if (value == nullptr) return std::nullopt;
    return as_string(key, *value);
  }
  bool boolean(const char* key) const { return as_boolean(key, required(key)); }
  bool boolean(const char* key, bool absent) const {
    const nlohmann::json* value = optional(key);
    return value == nullptr ? absent : as_boolean(key, *value);
  }
  std::optional<double> optional_number(const char* key) const {
    const nlohmann::json* value = optional(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) throw input_error("{}.{} is not a number", place_, key);
    return value->get<double>();
  }
  std::int32_t token_id(const char* key) const {
    return to_token_id(required(key), [&] { return place_ + "." + key; });
  }
  std::size_t count(const char* key) const {
    const nlohmann::json& value = required(key);
    if (!value.is_number_unsigned()) throw input_error("{}.{} is not a count", place_, key);
    return value.get<std::size_t>();
  }
  const nlohmann::json& array(const char* key) const {
    const nlohmann::json& value = required(key);
    if (!value.is_array()) throw input_error("{}.{} is not an array", place_, key);
    return value;
  }

 private:
  std::string as_string(const char* key, const nlohmann::json& value) const {
    if (!value.is_string()) throw input_error("{}.{} is not a string", place_, key);
    return value.get<std::string>();
  }
  bool as_boolean(const char* key, const nlohmann::json& value) const {
    if (!value.is_boolean()) throw input_error("{}.{} is neither true nor false", place_, key);
    return value.get<bool>();
  }

  const nlohmann::json& object_;
  std::string place_;
};

}  // namespace moescope::text
