// Reads the data blocks of a report back, written against the format in page_data.h and not with the page's code.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::report::testing {

// Content of every <script> element with an id, as a browser sees it: up to the first "</script".
inline std::map<std::string, std::string> data_blocks(std::string_view page) {
  std::map<std::string, std::string> blocks;
  std::size_t at = 0;
  while ((at = page.find("<script", at)) != std::string_view::npos) {
    const std::size_t open_end = page.find('>', at), close = page.find("</script", open_end);
    const std::string_view tag = page.substr(at, open_end - at);
    const std::size_t id = tag.find(" id=\"data-");
    if (id != std::string_view::npos) {
      const std::size_t begin = id + 10;
      blocks[std::string(tag.substr(begin, tag.find('"', begin) - begin))] =
          std::string(page.substr(open_end + 1, close - open_end - 1));
    }
    at = close;
  }
  return blocks;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

inline std::string from_base64(std::string_view text) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t word = 0;
  int n_bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) throw std::runtime_error("not base64");
    word = word << 6 | static_cast<std::uint32_t>(value);
    n_bits += 6;
    if (n_bits >= 8) {
      n_bits -= 8;
      out += static_cast<char>(word >> n_bits & 255);
    }
  }
  return out;
}

class PageBytes {
 public:
  explicit PageBytes(std::string_view base64_text) : bytes_(from_base64(base64_text)) {}

  bool at_end() const { return at_ == bytes_.size(); }
  std::uint8_t u8() { return static_cast<std::uint8_t>(bytes_.at(at_++)); }
  std::uint16_t u16() {
    const unsigned low = u8();
    return static_cast<std::uint16_t>(low | static_cast<unsigned>(u8()) << 8);
  }
  float f32() {
    float value = 0;
    std::memcpy(&value, bytes_.substr(at_, 4).data(), 4);
    at_ += 4;
    return value;
  }
  std::int64_t varint() {
    std::int64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const std::uint8_t byte = u8();
      value |= static_cast<std::int64_t>(byte & 127) << shift;
      if ((byte & 128) == 0) return value;
    }
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

struct PageWindow {
  int kind = 0, decile = 0;
  std::int64_t document = 0, position = 0;
  std::vector<std::int64_t> tokens;  // page numbers
  std::vector<double> scores;
  std::map<std::int64_t, std::vector<std::int64_t>> promoted;  // position -> page number + 1, 0: none
};

inline std::vector<PageWindow> evidence_of(const std::string& line) {
  PageBytes bytes(line);
  const double largest = static_cast<double>(bytes.f32());
  std::vector<PageWindow> windows;
  for (std::int64_t n = bytes.varint(); n > 0; --n) {
    PageWindow window;
    const std::int64_t head = bytes.varint();
    window.kind = static_cast<int>(head / 16);
    window.decile = static_cast<int>(head % 16) - 1;
    window.document = bytes.varint();
    window.position = bytes.varint();
    const auto length = static_cast<std::size_t>(bytes.varint());
    for (std::size_t t = 0; t < length; ++t) window.tokens.push_back(bytes.varint());
    std::vector<std::uint8_t> bits;
    for (std::size_t i = 0; i < (length + 7) / 8; ++i) bits.push_back(bytes.u8());
    for (std::size_t t = 0; t < length; ++t) {
      const bool is_routed = (bits[t / 8] >> (t % 8) & 1) != 0;
      window.scores.push_back(is_routed ? largest * bytes.u16() / 65535 : 0);
    }
    for (std::int64_t i = bytes.varint(); i > 0; --i) {
      auto& promoted = window.promoted[bytes.varint()];
      for (int p = 0; p < 3; ++p) promoted.push_back(bytes.varint());
    }
    windows.push_back(std::move(window));
  }
  if (!bytes.at_end()) throw std::runtime_error("bytes left over");
  return windows;
}

}  // namespace moescope::report::testing
