// How the files of a run are described: once, beside the struct that holds what one of them says.
//
// A struct names its fields in a static function `describe`, each with what it means:
//
//   struct LayerRow {
//     std::int64_t layer = 0;
//     std::optional<double> router_margin;
//     template <typename Self, typename Visitor>
//     static void describe(Self& row, Visitor& field) {
//       field("layer", row.layer, "place of the layer, from 0");
//       field("router_margin", row.router_margin, "mean difference of the first and second probability");
//     }
//   };
//
// Writers, readers and the tables of docs/run-directory.md are visitors of that function, so none of them can name
// another field: table_file.h for a row of a table, json_value.h for an object, tensor_file.h for tensors.
//
// Goals: a file of an older or a later program is read: fields that are not known are left unread, and a field that an
// older file lacks keeps its default. Non-goals: several meanings of one field; those are told apart by `schema`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace moescope::run {

// What a field asks of the files of older programs.
struct FieldRules {
  int since = 1;                 // the first schema that writes it: where it is absent, the default stands
  const char* former = nullptr;  // its name in older files
  bool leave_out = false;        // in JSON a missing one is left out, where others are null
};

// One field as the documentation shows it.
struct FieldAbout {
  std::string name, type, meaning;
  FieldRules rules;
};

namespace detail {

struct AnyVisitor {
  template <typename T>
  void operator()(const char*, T&, const char*, const FieldRules& = {}) {}
};

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
struct IsVector : std::false_type {};
template <typename T, typename A>
struct IsVector<std::vector<T, A>> : std::true_type {};

}  // namespace detail

// A struct whose fields are named by describe().
template <typename T>
concept Described = requires(T& value, detail::AnyVisitor& visitor) {
  T::describe(value, visitor);
};

// "whole number", "number", "text", ..., and "..., or missing" of an optional one; for the documentation.
template <typename T>
std::string type_word() {
  if constexpr (detail::IsOptional<T>::value) {
    return type_word<typename T::value_type>() + ", or missing";
  } else if constexpr (detail::IsVector<T>::value) {
    return "list of: " + type_word<typename T::value_type>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (std::is_integral_v<T>) {
    return "whole number";
  } else if constexpr (std::is_floating_point_v<T>) {
    return "number";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else {
    return "object";
  }
}

namespace detail {

struct FieldCollector {
  std::vector<FieldAbout>& fields;
  template <typename T>
  void operator()(const char* name, const T&, const char* meaning, const FieldRules& rules = {}) {
    fields.push_back({name, type_word<T>(), meaning, rules});
  }
};

}  // namespace detail

// The fields of a struct, in the order in which they are written.
template <Described T>
std::vector<FieldAbout> fields_of() {
  std::vector<FieldAbout> fields;
  detail::FieldCollector collector{fields};
  const T value{};
  T::describe(value, collector);
  return fields;
}

}  // namespace moescope::run
