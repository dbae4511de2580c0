// How the fields of described structs (base/options.h) are read and written by code that knows nothing of their types:
// each becomes a list of items of five kinds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "moescope/base/words.h"

namespace moescope {

enum class OptionKind { kBool, kInteger, kReal, kBytes, kText, kPath, kWord, kNumberByName };

// std::uint64_t only for numbers that std::int64_t cannot hold.
using OptionItem = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

// One item, none (an optional field without a value), or a list.
struct OptionValue {
  std::vector<OptionItem> items;
  bool is_list = false;
};

OptionValue one_item(OptionItem item);

struct OptionField {
  OptionKind kind = OptionKind::kText;
  bool is_list = false;
  std::function<OptionValue()> get;
  std::function<void(const std::vector<OptionItem>&)> set;  // throws kUsage for items of another type
};

// An item as a field of one type takes it. Throw kUsage.
bool bool_of(const OptionItem& item);
std::int64_t integer_of(const OptionItem& item, std::int64_t least, std::int64_t most);
std::uint64_t unsigned_of(const OptionItem& item, std::uint64_t most);
double real_of(const OptionItem& item);  // finite; whole numbers too
std::string text_of(const OptionItem& item);

// An item of a kind from what stands on a command line. Throws kUsage.
OptionItem item_of_text(const std::string& text, OptionKind kind);
// An item as people write it: "0.5", "true", "text".
std::string written(const OptionItem& item);

namespace detail {

template <typename T>
struct ListItem {
  using type = T;
  static constexpr bool is_list = false, is_optional = false;
};
template <typename T>
struct ListItem<std::vector<T>> {
  using type = T;
  static constexpr bool is_list = true, is_optional = false;
};
template <typename T>
struct ListItem<std::optional<T>> {
  using type = T;
  static constexpr bool is_list = false, is_optional = true;
};

template <typename T>
constexpr OptionKind kind_of() {
  if constexpr (std::is_same_v<T, bool>) return OptionKind::kBool;
  if constexpr (std::is_enum_v<T>) return OptionKind::kWord;
  if constexpr (std::is_integral_v<T>) return OptionKind::kInteger;
  if constexpr (std::is_floating_point_v<T>) return OptionKind::kReal;
  if constexpr (std::is_same_v<T, std::filesystem::path>) return OptionKind::kPath;
  return OptionKind::kText;
}

template <typename T>
OptionItem to_item(const T& value) {
  if constexpr (std::is_same_v<T, bool>) return value;
  if constexpr (std::is_enum_v<T>) return std::string(word_of(value));
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return value;
  }
  if constexpr (std::is_integral_v<T>) return static_cast<std::int64_t>(value);
  if constexpr (std::is_floating_point_v<T>) return static_cast<double>(value);
  if constexpr (std::is_same_v<T, std::filesystem::path>) return value.string();
  if constexpr (std::is_same_v<T, std::string>) return value;
}

template <typename T>
T from_item(const OptionItem& item) {
  if constexpr (std::is_same_v<T, bool>) {
    return bool_of(item);
  } else if constexpr (std::is_enum_v<T>) {
    return parse_word<T>(text_of(item));
  } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
    return static_cast<T>(unsigned_of(item, std::numeric_limits<T>::max()));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(integer_of(item, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(real_of(item));
  } else {
    return T(text_of(item));
  }
}

}  // namespace detail

template <typename T>
OptionField option_field(T& field) {
  using Traits = detail::ListItem<T>;
  using Item = typename Traits::type;
  OptionField result{detail::kind_of<Item>(), Traits::is_list, {}, {}};
  if constexpr (Traits::is_list) {
    result.get = [&field] {
      OptionValue value{{}, true};
      for (const Item& item : field) value.items.push_back(detail::to_item(item));
      return value;
    };
    result.set = [&field](const std::vector<OptionItem>& items) {
      T values;
      for (const OptionItem& item : items) values.push_back(detail::from_item<Item>(item));
      field = std::move(values);
    };
  } else {
    result.get = [&field] {
      if constexpr (Traits::is_optional) {
        return field ? one_item(detail::to_item(*field)) : OptionValue{};
      } else {
        return one_item(detail::to_item(field));
      }
    };
    result.set = [&field](const std::vector<OptionItem>& items) { field = detail::from_item<Item>(items.front()); };
  }
  return result;
}

// Numbers by name: a list of texts "NAME=NUMBER".
OptionField option_field(std::map<std::string, double>& field);

}  // namespace moescope
