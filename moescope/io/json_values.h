// The JSON values of a long stream, one at a time: what lies behind each other, or in one array at the top. Only their
// bounds are found here (brackets and strings); each is then parsed on its own.
//
// Goal: a file of any size costs the memory of its largest value. Non-goal: checking JSON; the parser of a value does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "moescope/io/byte_source.h"

namespace moescope::io {

class JsonValueReader {
 public:
  JsonValueReader(const std::filesystem::path& path, std::int64_t max_value_bytes);

  // The text of the next value; throws kInput naming file and line where the stream is broken or a value too large.
  std::optional<std::string> next();
  std::int64_t line_number() const { return value_line_; }  // where the last value begins, from 1
  std::string place() const;                                // "FILE, line 3"

 private:
  int peek();  // the next byte, or -1 at the end
  void take();
  int skip_space();
  bool find_value();  // the place of the next value; false at the end
  std::string take_value();

  std::filesystem::path path_;
  std::unique_ptr<ByteSource> source_;
  std::int64_t max_value_bytes_;
  std::string_view piece_;
  std::int64_t line_ = 1, value_line_ = 1;
  bool began_ = false, in_array_ = false, ended_ = false;
};

// Parses one JSON text that may hold broken UTF-8 or halves of surrogate pairs (\ud83d alone): each becomes U+FFFD, and
// its bytes (3 for a half pair) are added to `n_replaced_bytes`. Throws kInput ("not JSON: ...") without a place.
nlohmann::json parse_foreign_json(std::string text, std::int64_t& n_replaced_bytes);

// What is wrong, without the parser's prefix and position.
std::string json_reason(const nlohmann::json::exception& error);

}  // namespace moescope::io
