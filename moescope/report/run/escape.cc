#include "moescope/report/run/escape.h"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace moescope::report {

namespace {

// U+202A..U+202E, U+2066..U+2069, U+200E, U+200F, U+061C: they reorder what stands around them.
bool is_bidi_control(std::string_view sequence) {
  if (sequence == "\xD8\x9C") return true;
  if (sequence.size() != 3 || sequence[0] != '\xE2') return false;
  const auto last = static_cast<unsigned char>(sequence[2]);
  if (sequence[1] == '\x80') return last == 0x8E || last == 0x8F || (last >= 0xAA && last <= 0xAE);
  return sequence[1] == '\x81' && last >= 0xA6 && last <= 0xA9;
}

std::size_t sequence_length(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

// The library's own replacement of invalid UTF-8, so that both functions of this file agree on it.
std::string valid_utf8(std::string_view text) {
  const std::string quoted =
      nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(quoted).get<std::string>();
}

}  // namespace

std::string html_escape(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string out;
  out.reserve(valid.size());
  for (std::size_t i = 0; i < valid.size();) {
    const auto lead = static_cast<unsigned char>(valid[i]);
    const std::string_view sequence = std::string_view(valid).substr(i, sequence_length(lead));
    i += sequence.size();
    switch (lead) {
      case '&': out += "&amp;"; continue;
      case '<': out += "&lt;"; continue;
      case '>': out += "&gt;"; continue;
      case '"': out += "&quot;"; continue;
      case '\'': out += "&#39;"; continue;
      default: break;
    }
    const bool forbidden = (lead < 0x20 && lead != '\n' && lead != '\t') || lead == 0x7F || is_bidi_control(sequence);
    out += forbidden ? "\xEF\xBF\xBD" : sequence;
  }
  return out;
}

std::string script_json(const nlohmann::json& value) {
  const std::string ascii = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  std::string out;
  out.reserve(ascii.size() + ascii.size() / 16);
  for (const char c : ascii) {
    // Outside of strings JSON never holds these three characters, so an escape is always inside of one.
    switch (c) {
      case '<': out += "\\u003c"; break;
      case '>': out += "\\u003e"; break;
      case '&': out += "\\u0026"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace moescope::report
