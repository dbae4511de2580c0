#include <algorithm>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
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

// The part of the parser's message that says what is wrong: "... parse error at line 1, column 2: WHAT".
std::string reason(const json::exception& error) {
  const std::string message = error.what();
  const std::size_t colon = message.find(": ");
  return quote_name(colon == std::string::npos ? message : message.substr(colon + 2));
}

}  // namespace

json read_json(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  try {
    return json::parse(text.begin(), text.end());
  } catch (const json::parse_error& error) {
    const std::size_t byte = error.byte > 0 ? error.byte - 1 : 0;
    throw input_error("not JSON: {}", reason(error))
        .at(fmt::format("{}, {}", path.string(), position_text(text, byte)));
  } catch (const json::exception& error) {
    throw input_error("not JSON: {}", reason(error)).at(path.string());
  }
}

}  // namespace moescope::io
