#include "moescope/report/run/bytes.h"

#include <bit>
#include <cstddef>

namespace moescope::report {

void ByteWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    u8(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  u8(static_cast<std::uint8_t>(value));
}

void ByteWriter::u8(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }

void ByteWriter::u16(std::uint16_t value) {
  u8(static_cast<std::uint8_t>(value & 0xFF));
  u8(static_cast<std::uint8_t>(value >> 8));
}

void ByteWriter::f32(float value) {
  const auto word = std::bit_cast<std::uint32_t>(value);
  u16(static_cast<std::uint16_t>(word & 0xFFFF));
  u16(static_cast<std::uint16_t>(word >> 16));
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j) word = word << 8 | (j < n ? static_cast<std::uint8_t>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += j <= n ? kAlphabet[word >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

}  // namespace moescope::report
