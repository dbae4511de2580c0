#include <algorithm>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/json_values.h"
#include "moescope/io/quote.h"
#include "moescope/io/safetensors.h"

namespace moescope::io {
namespace {

using nlohmann::json;

// "line 3, column 5" of a byte of the text (1-based; columns count bytes).
std::string position_text(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", line, before.size() - line_start + 1);
}

// Deeper text is no configuration, and whoever copies or walks such a value would run out of stack.
constexpr int kMaxDepth = 512;

void check_depth(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) throw input_error("is nested deeper than {} levels", kMaxDepth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

}  // namespace

std::string json_reason(const json::exception& error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: WHAT"
  const std::string message = error.what();
  const std::size_t colon = message.find(": ");
  return quote_name(colon == std::string::npos ? message : message.substr(colon + 2));
}

json read_json(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  try {
    check_depth(text);
  } catch (const Error& error) {
    throw error.at(path.string());
  }
  try {
    return json::parse(text.begin(), text.end());
  } catch (const json::parse_error& error) {
    const std::size_t byte = error.byte > 0 ? error.byte - 1 : 0;
    throw input_error("not JSON: {}", json_reason(error))
        .at(fmt::format("{}, {}", path.string(), position_text(text, byte)));
  } catch (const json::exception& error) {
    throw input_error("not JSON: {}", json_reason(error)).at(path.string());
  }
}

}  // namespace moescope::io
