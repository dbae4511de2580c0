#include "moescope/io/utf8.h"

#include <algorithm>
#include <cstring>

namespace moescope::io {
namespace {

// The length of the run of ASCII at the start, eight bytes a step.
std::size_t ascii_run(std::string_view bytes) {
  std::size_t i = 0;
  while (i + 8 <= bytes.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    if ((word & 0x8080808080808080ull) != 0) break;
    i += 8;
  }
  while (i < bytes.size() && static_cast<unsigned char>(bytes[i]) < 0x80) ++i;
  return i;
}

// The first byte that is not part of valid UTF-8.
std::size_t valid_prefix(std::string_view bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    i += ascii_run(bytes.substr(i));
    if (i == bytes.size()) break;
    int n_invalid = 0;
    const int length = utf8_character(bytes.substr(i), n_invalid);
    if (length == 0) break;
    i += static_cast<std::size_t>(length);
  }
  return i;
}

}  // namespace

int utf8_character(std::string_view bytes, int& n_invalid) {
  n_invalid = 1;
  if (bytes.empty()) return 0;
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (lead < 0x80) return 1;
  // The range of the second byte excludes overlong forms, surrogates and values over U+10FFFF.
  int length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (int i = 1; i < length; ++i) {
    const auto index = static_cast<std::size_t>(i);
    if (index >= bytes.size()) return 0;
    const auto byte = static_cast<unsigned char>(bytes[index]);
    if (byte < low || byte > high) return 0;
    low = 0x80;
    high = 0xBF;
    ++n_invalid;
  }
  return length;
}

bool is_utf8(std::string_view bytes) { return valid_prefix(bytes) == bytes.size(); }

std::string repair_utf8(std::string bytes, std::int64_t& n_replaced_bytes) {
  std::string_view rest = bytes;
  std::size_t good = valid_prefix(rest);
  if (good == rest.size()) return bytes;
  std::string repaired;
  repaired.reserve(bytes.size());
  while (true) {
    repaired.append(rest.substr(0, good));
    rest.remove_prefix(good);
    if (rest.empty()) return repaired;
    int n_invalid = 0;
    utf8_character(rest, n_invalid);
    repaired += "\xEF\xBF\xBD";
    n_replaced_bytes += n_invalid;
    rest.remove_prefix(static_cast<std::size_t>(n_invalid));
    good = valid_prefix(rest);
  }
}

}  // namespace moescope::io
