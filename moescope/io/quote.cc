#include "moescope/io/quote.h"

#include <nlohmann/json.hpp>

namespace moescope::io {

std::string quote_name(std::string_view name) {
  constexpr std::size_t kMaxBytes = 160;
  const bool cut = name.size() > kMaxBytes;
  if (cut) {
    std::size_t end = kMaxBytes;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;  // not inside a character
    name = name.substr(0, end);
  }
  using nlohmann::json;
  std::string text = json(std::string(name)).dump(-1, ' ', false, json::error_handler_t::replace);
  return cut ? text + "..." : text;
}

}  // namespace moescope::io
