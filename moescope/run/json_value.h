// JSON objects as described structs (describe.h): run.json and its parts, and the lines of documents.jsonl.
//
// An optional field is null where it does not exist. Reading takes an absent optional field for null, keeps the default
// of a field that older files lack, leaves keys without a field unread, and refuses (kInput, naming the key and the
// place) an absent key and a value of another type.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/run/describe.h"

namespace moescope::run {

// Keys in the order of the fields.
using Json = nlohmann::ordered_json;

template <typename T>
Json to_json_value(const T& value);

// The fields of a struct as an object.
template <Described T>
Json to_json(const T& value) {
  Json object = Json::object();
  const auto add = [&](const char* name, const auto& field, const char*, const FieldRules& rules = {}) {
    Json json = to_json_value(field);
    if (!json.is_null() || !rules.leave_out) object[name] = std::move(json);
  };
  T::describe(value, add);
  return object;
}

template <typename T>
Json to_json_value(const T& value) {
  if constexpr (Described<T>) {
    return to_json(value);
  } else if constexpr (detail::IsOptional<T>::value) {
    return value ? to_json_value(*value) : Json(nullptr);
  } else if constexpr (detail::IsVector<T>::value) {
    Json list = Json::array();
    for (const auto& item : value) list.push_back(to_json_value(item));
    return list;
  } else {
    return Json(value);
  }
}

namespace detail {

Error wrong_type(const std::string& key, const char* expected, const Json& found);

template <typename T>
void from_json_value(const Json& json, const std::string& key, T& value);

template <typename T>
void from_object(const Json& object, const std::string& prefix, T& value) {
  const auto take = [&](const char* name, auto& field, const char*, const FieldRules& rules = {}) {
    auto found = object.find(name);
    if (found == object.end() && rules.former != nullptr) found = object.find(rules.former);
    if (found != object.end()) {
      from_json_value(*found, prefix + name, field);
    } else if (rules.since == 1 && !IsOptional<std::decay_t<decltype(field)>>::value) {
      throw input_error("no key \"{}{}\"", prefix, name);
    }
  };
  T::describe(value, take);
}

template <typename T>
void from_json_value(const Json& json, const std::string& key, T& value) {
  if constexpr (Described<T>) {
    if (!json.is_object()) throw wrong_type(key, "an object", json);
    from_object(json, key + ".", value);
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!json.is_null()) from_json_value(json, key, value.emplace());
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) throw wrong_type(key, "a list", json);
    value.clear();
    for (const Json& item : json) {
      from_json_value(item, key + "[" + std::to_string(value.size()) + "]", value.emplace_back());
    }
  } else if constexpr (std::is_same_v<T, Json> || std::is_same_v<T, nlohmann::json>) {
    value = T(json);
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) throw wrong_type(key, "true or false", json);
    value = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer()) throw wrong_type(key, "a whole number", json);
    value = json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) throw wrong_type(key, "a number", json);
    value = json.get<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) throw wrong_type(key, "text", json);
    value = json.get<std::string>();
  } else {
    if (!json.is_object()) throw wrong_type(key, "an object", json);
    value = json.get<T>();
  }
}

}  // namespace detail

// Errors name the key, not the file: the caller knows its place.
template <Described T>
T from_json(const Json& json) {
  if (!json.is_object()) throw input_error("not a JSON object");
  T value{};
  detail::from_object(json, "", value);
  return value;
}

// Reads a file of one JSON object a line and calls body(value) for every line that is not blank; errors, those of body
// too, get the place "FILE:LINE". Keys in `without` are not kept in memory.
template <Described T, typename Body>
void for_each_line(const std::filesystem::path& path, const std::set<std::string>& without, const Body& body) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw input_error("cannot be read").at(path.string());
  const auto keep = [&](int depth, Json::parse_event_t event, Json& parsed) {
    return depth != 1 || event != Json::parse_event_t::key || !without.contains(parsed.get_ref<std::string&>());
  };
  std::string line;
  for (std::int64_t n = 1; std::getline(file, line); ++n) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      body(from_json<T>(Json::parse(line, without.empty() ? Json::parser_callback_t() : keep, false)));
    } catch (const Error& error) {
      throw error.at(path.string() + ":" + std::to_string(n));
    }
  }
}

// One line of JSON; bytes that are not UTF-8 become U+FFFD.
std::string json_line(const Json& json);

}  // namespace moescope::run
