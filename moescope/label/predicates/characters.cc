#include "moescope/label/predicates/characters.h"

#include <fmt/format.h>

namespace moescope::label {

namespace {

constexpr char32_t kReplacement = 0xFFFD;

bool between(char32_t c, char32_t low, char32_t high) { return c >= low && c <= high; }

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return {first, 1};
  const int n = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (n == 0 || first >= 0xF5 || at + static_cast<std::size_t>(n) > text.size()) return {kReplacement, 1};
  char32_t value = first & (0x7Fu >> n);
  for (int i = 1; i < n; ++i) {
    const unsigned char next = byte(at + static_cast<std::size_t>(i));
    if ((next & 0xC0) != 0x80) return {kReplacement, 1};
    value = (value << 6) | (next & 0x3Fu);
  }
  const bool too_long = (n == 3 && value < 0x800) || (n == 4 && value < 0x10000);
  if (too_long || value > 0x10FFFF || between(value, 0xD800, 0xDFFF)) return {kReplacement, 1};
  return {value, n};
}

std::string to_utf8(char32_t c) {
  std::string bytes;
  if (c < 0x80) {
    bytes += static_cast<char>(c);
  } else if (c < 0x800) {
    bytes += static_cast<char>(0xC0 | (c >> 6));
    bytes += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    bytes += static_cast<char>(0xE0 | (c >> 12));
    bytes += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    bytes += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    bytes += static_cast<char>(0xF0 | (c >> 18));
    bytes += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    bytes += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    bytes += static_cast<char>(0x80 | (c & 0x3F));
  }
  return bytes;
}

bool is_space(char32_t c) {
  return c == ' ' || between(c, '\t', '\r') || c == 0xA0 || between(c, 0x2000, 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x3000;
}

bool is_digit(char32_t c) { return between(c, '0', '9'); }

bool is_letter(char32_t c) {
  if (c < 0x80) return between(c | 0x20, 'a', 'z');
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || c == kReplacement) return false;
  return !between(c, 0x2000, 0x2BFF) && !between(c, 0x3000, 0x3004) && !between(c, 0x3008, 0x3020) &&
         !between(c, 0xE000, 0xF8FF) && !between(c, 0xFE00, 0xFE6F) && !between(c, 0xFF01, 0xFF20) &&
         !between(c, 0xFFF0, 0xFFFF) && !between(c, 0x1F000, 0x1FAFF);
}

bool is_latin(char32_t c) { return is_letter(c) && (c < 0x250 || between(c, 0x1E00, 0x1EFF)); }

bool is_upper(char32_t c) { return to_lower(c) != c; }

char32_t to_lower(char32_t c) {
  if (c < 0x80) return between(c, 'A', 'Z') ? c + 32 : c;
  if (between(c, 0xC0, 0xDE) && c != 0xD7) return c + 32;
  if (between(c, 0x100, 0x137) || between(c, 0x14A, 0x177)) return c | 1;
  if (between(c, 0x139, 0x147) && c % 2 == 1) return c + 1;
  if (between(c, 0x391, 0x3A9) && c != 0x3A2) return c + 32;
  if (between(c, 0x410, 0x42F)) return c + 32;
  if (between(c, 0x400, 0x40F)) return c + 80;
  return c;
}

std::string to_lower(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    const char32_t low = to_lower(c.value);
    if (low == c.value) {
      lower += text.substr(at, static_cast<std::size_t>(c.n_bytes));
    } else {
      lower += to_utf8(low);
    }
    at += static_cast<std::size_t>(c.n_bytes);
  }
  return lower;
}

std::string_view stripped(std::string_view text) {
  std::size_t begin = 0, end = text.size();
  const auto space = [&](std::size_t i) { return static_cast<unsigned char>(text[i]) < 0x80 && is_space(text[i]); };
  while (begin < end && space(begin)) ++begin;
  while (end > begin && space(end - 1)) --end;
  return text.substr(begin, end - begin);
}

std::string shown(std::string_view piece) {
  // Double quotes where the piece itself holds a single one.
  const bool has_single = piece.find('\'') != std::string_view::npos;
  const char* quote = has_single && piece.find('"') == std::string_view::npos ? "\"" : "'";
  std::string out = quote;
  for (std::size_t at = 0; at < piece.size();) {
    const CodePoint c = code_point_at(piece, at);
    std::size_t n = static_cast<std::size_t>(c.n_bytes);
    if (c.value == ' ') {
      std::size_t run = 1;
      while (at + run < piece.size() && piece[at + run] == ' ') ++run;
      const bool edge = at == 0 || at + run == piece.size();
      if (run > 3) {
        out += fmt::format("␣×{}", run);
      } else {
        for (std::size_t i = 0; i < run; ++i) out += edge || run > 1 ? "␣" : " ";
      }
      n = run;
    } else if (c.value == '\n') {
      out += "\\n";
    } else if (c.value == '\t') {
      out += "\\t";
    } else if (c.value == '\r') {
      out += "\\r";
    } else if (c.value == 0xFFFD) {
      out += "\\uFFFD";
    } else if (c.value < 0x20 || c.value == 0x7F) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned>(c.value));
    } else {
      out += piece.substr(at, n);
    }
    at += n;
  }
  return out + quote;
}

}  // namespace moescope::label
