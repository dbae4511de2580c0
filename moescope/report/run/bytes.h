// Compact bytes for the page's script: unsigned LEB128 numbers, little-endian fixed ones, and base64 (RFC 4648).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moescope::report {

// Appends to a buffer of its own. Not thread-safe.
class ByteWriter {
 public:
  void varint(std::uint64_t value);
  void u8(std::uint8_t value);
  void u16(std::uint16_t value);
  void f32(float value);
  void append(std::string_view bytes) { bytes_.append(bytes); }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string base64(std::string_view bytes);

}  // namespace moescope::report
