#include "moescope/base/option_fields.h"

#include <charconv>
#include <cmath>

#include "moescope/base/byte_size.h"

namespace moescope {
namespace {

template <typename Number>
std::optional<Number> whole_text_as(const std::string& text) {
  Number number{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

Error not_whole(const OptionItem& item) { return usage_error("'{}' is not a whole number", written(item)); }
Error too_large(const OptionItem& item) { return usage_error("{} is beyond what it can hold", written(item)); }

}  // namespace

OptionValue one_item(OptionItem item) {
  OptionValue value;
  value.items.push_back(std::move(item));
  return value;
}

std::string written(const OptionItem& item) {
  return std::visit([](const auto& value) { return fmt::format("{}", value); }, item);
}

bool bool_of(const OptionItem& item) {
  if (const auto* value = std::get_if<bool>(&item)) return *value;
  throw usage_error("'{}' is neither true nor false", written(item));
}

std::int64_t integer_of(const OptionItem& item, std::int64_t least, std::int64_t most) {
  if (std::holds_alternative<std::uint64_t>(item)) throw too_large(item);
  const auto* value = std::get_if<std::int64_t>(&item);
  if (value == nullptr) throw not_whole(item);
  if (*value < least || *value > most) throw too_large(item);
  return *value;
}

std::uint64_t unsigned_of(const OptionItem& item, std::uint64_t most) {
  const auto* large = std::get_if<std::uint64_t>(&item);
  const auto* value = std::get_if<std::int64_t>(&item);
  if (large == nullptr && value == nullptr) throw not_whole(item);
  if (large == nullptr && *value < 0) throw usage_error("{} is negative", written(item));
  const std::uint64_t number = large != nullptr ? *large : static_cast<std::uint64_t>(*value);
  if (number > most) throw too_large(item);
  return number;
}

double real_of(const OptionItem& item) {
  if (const auto* whole = std::get_if<std::int64_t>(&item)) return static_cast<double>(*whole);
  if (const auto* large = std::get_if<std::uint64_t>(&item)) return static_cast<double>(*large);
  const auto* value = std::get_if<double>(&item);
  if (value == nullptr) throw usage_error("'{}' is not a number", written(item));
  if (!std::isfinite(*value)) throw usage_error("{} is not a finite number", written(item));
  return *value;
}

std::string text_of(const OptionItem& item) {
  if (const auto* value = std::get_if<std::string>(&item)) return *value;
  throw usage_error("{} is not a text", written(item)).hint("write it in quotes");
}

OptionItem item_of_text(const std::string& text, OptionKind kind) {
  switch (kind) {
    case OptionKind::kBool:
      for (const char* yes : {"true", "yes", "on", "1"}) {
        if (text == yes) return true;
      }
      for (const char* no : {"false", "no", "off", "0"}) {
        if (text == no) return false;
      }
      throw usage_error("'{}' is neither true nor false", text);
    case OptionKind::kInteger:
      if (const auto whole = whole_text_as<std::int64_t>(text)) return *whole;
      if (const auto large = whole_text_as<std::uint64_t>(text)) return *large;
      throw usage_error("'{}' is not a whole number", text);
    case OptionKind::kReal:
      if (const auto real = whole_text_as<double>(text)) return *real;
      throw usage_error("'{}' is not a number", text);
    case OptionKind::kBytes: return static_cast<std::int64_t>(parse_bytes(text));
    case OptionKind::kText:
    case OptionKind::kPath:
    case OptionKind::kWord:
    case OptionKind::kNumberByName: break;
  }
  return text;
}

OptionField option_field(std::map<std::string, double>& field) {
  OptionField result{OptionKind::kNumberByName, true, {}, {}};
  result.get = [&field] {
    OptionValue value{{}, true};
    for (const auto& [name, number] : field) value.items.push_back(fmt::format("{}={}", name, number));
    return value;
  };
  result.set = [&field](const std::vector<OptionItem>& items) {
    std::map<std::string, double> numbers;
    for (const OptionItem& item : items) {
      const std::string text = text_of(item);
      const std::size_t equals = text.rfind('=');
      const auto number = equals == std::string::npos || equals == 0 ? std::optional<double>()
                                                                     : whole_text_as<double>(text.substr(equals + 1));
      if (!number || !std::isfinite(*number)) throw usage_error("'{}' is not of the form NAME=NUMBER", text);
      if (!numbers.emplace(text.substr(0, equals), *number).second) throw usage_error("'{}' is given twice", text);
    }
    field = std::move(numbers);
  };
  return result;
}

}  // namespace moescope
