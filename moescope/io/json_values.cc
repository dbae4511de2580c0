#include "moescope/io/json_values.h"

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

using nlohmann::json;

// The value of four hexadecimal digits, or -1.
int hex4(std::string_view text) {
  if (text.size() < 4) return -1;
  int value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

bool is_high(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// The text with every \uXXXX that is half of a surrogate pair made \ufffd; other writers produce such halves, the JSON
// parser refuses them. A backslash stands only inside strings, so escapes can be found without knowing where strings
// are.
std::string repair_surrogates(const std::string& text, std::int64_t& n_replaced_bytes) {
  std::string repaired = text;
  const std::string_view view = text;
  for (std::size_t i = 0; (i = view.find('\\', i)) != std::string_view::npos;) {
    if (i + 1 >= view.size() || view[i + 1] != 'u') {
      i += 2;
      continue;
    }
    const int unit = hex4(view.substr(i + 2));
    const bool pair =
        is_high(unit) && view.substr(i + 6, 2) == "\\u" && is_low(hex4(view.substr(std::min(i + 8, view.size()))));
    if (!pair && (is_high(unit) || is_low(unit))) {
      repaired.replace(i + 2, 4, "fffd");
      n_replaced_bytes += 3;
    }
    i += pair ? 12 : 6;
  }
  return repaired;
}

}  // namespace

json parse_foreign_json(std::string text, std::int64_t& n_replaced_bytes) {
  text = repair_utf8(std::move(text), n_replaced_bytes);
  json value = json::parse(text, nullptr, false);
  if (!value.is_discarded()) return value;
  try {
    return json::parse(repair_surrogates(text, n_replaced_bytes));
  } catch (const json::parse_error& error) {
    throw input_error("not JSON: {} (byte {} of it)", json_reason(error), error.byte);
  } catch (const json::exception& error) {
    throw input_error("not JSON: {}", json_reason(error));
  }
}

JsonValueReader::JsonValueReader(const std::filesystem::path& path, std::int64_t max_value_bytes)
    : path_(path), source_(open_bytes(path)), max_value_bytes_(max_value_bytes) {}

std::string JsonValueReader::place() const { return fmt::format("{}, line {}", path_.string(), value_line_); }

int JsonValueReader::peek() {
  if (piece_.empty() && (piece_ = source_->next()).empty()) return -1;
  return static_cast<unsigned char>(piece_.front());
}

void JsonValueReader::take() {
  if (piece_.front() == '\n') ++line_;
  piece_.remove_prefix(1);
}

int JsonValueReader::skip_space() {
  int c = peek();
  while (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
    take();
    c = peek();
  }
  return c;
}

bool JsonValueReader::find_value() {
  if (!began_) {
    if (peek() == 0xEF) {  // a byte order mark
      for (const int expected : {0xEF, 0xBB, 0xBF}) {
        if (peek() != expected) throw input_error("not JSON").at(place());
        take();
      }
    }
    in_array_ = skip_space() == '[';
    if (in_array_) {
      take();
      if (skip_space() == ']') ended_ = true;
    }
    if (ended_) take();
  } else if (in_array_ && !ended_) {
    const int c = skip_space();
    value_line_ = line_;
    if (c == -1) throw input_error("the array does not end (truncated?)").at(place());
    if (c != ',' && c != ']') throw input_error("expected , or ] behind a value").at(place());
    take();
    ended_ = c == ']';
  }
  began_ = true;
  const int c = skip_space();
  value_line_ = line_;
  if (ended_ && c != -1) throw input_error("more text behind the array").at(place());
  if (in_array_ && !ended_ && c == -1) throw input_error("the array does not end (truncated?)").at(place());
  return c != -1;
}

std::string JsonValueReader::take_value() {
  std::string value;
  int depth = 0;
  bool in_string = false, escaped = false;
  while (true) {
    const int c = peek();
    if (c == -1) {
      if (depth > 0 || in_string) throw input_error("a value does not end (truncated?)").at(place());
      return value;
    }
    // At the top level a value that is no object, array or string ends before what cannot be part of it.
    const bool bare = depth == 0 && !in_string;
    if (bare && !value.empty() && (c == ',' || c == ']' || c == '}' || c == '{' || c == '[' || c <= ' ')) return value;
    value.push_back(static_cast<char>(c));
    take();
    if (static_cast<std::int64_t>(value.size()) > max_value_bytes_) {
      throw input_error("a value is larger than {} bytes", max_value_bytes_)
          .at(place())
          .hint("raise the limit of a document, or split it");
    }
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth < 0) throw input_error("not JSON: a bracket closes nothing").at(place());
    }
    if (depth == 0 && !in_string && (c == '}' || c == ']' || c == '"')) return value;
  }
}

std::optional<std::string> JsonValueReader::next() {
  if (!find_value()) return std::nullopt;
  return take_value();
}

}  // namespace moescope::io
