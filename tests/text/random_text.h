// Random Unicode strings, the same as tests/reference/random_text.py makes, and the hash of results that its fixtures
// keep.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "moescope/base/random.h"
#include "moescope/text/tokenizer.h"
#include "moescope/text/unicode.h"

namespace moescope::text {

inline std::string random_text(std::uint64_t seed) {
  struct Block {
    char32_t first;
    std::uint64_t count;
  };
  static constexpr std::array<Block, 16> kBlocks = {{{0x20, 95},
                                                     {0x61, 26},
                                                     {0x41, 58},
                                                     {0x30, 10},
                                                     {0xA0, 0x260},
                                                     {0x300, 0x70},
                                                     {0x370, 0x390},
                                                     {0x900, 0x700},
                                                     {0x1100, 0x100},
                                                     {0xAC00, 11172},
                                                     {0x1D00, 0x300},
                                                     {0x2000, 0x400},
                                                     {0x3000, 0x6000},
                                                     {0xF900, 0x600},
                                                     {0x1F300, 0x700},
                                                     {0x10000, 0x10000}}};
  static constexpr std::array<const char*, 11> kSnippets = {
      "'ll", "'S", "  ", "\r\n", "<|endoftext|>", "<mask>", "[X]", "\u2581", "e\u0301", "1/2", "\u1100\u1161\u11a8"};
  static constexpr std::array<char32_t, 10> kSpaces = {0x20, 0x20,   0x09,   0x0A,   0x0D,
                                                       0xA0, 0x2003, 0x3000, 0x200B, 0x85};
  Random random(seed);
  std::string out;
  for (std::uint64_t n = random.below(48); n > 0; --n) {
    const std::uint64_t kind = random.below(kBlocks.size() + 6);
    if (kind < kBlocks.size()) {
      append_utf8(kBlocks[kind].first + static_cast<char32_t>(random.below(kBlocks[kind].count)), out);
    } else if (kind == kBlocks.size()) {
      const auto point = static_cast<char32_t>(random.below(0x10F800));
      append_utf8(point >= 0xD800 ? point + 0x800 : point, out);
    } else if (kind == kBlocks.size() + 1) {
      out += kSnippets[random.below(kSnippets.size())];
    } else if (kind <= kBlocks.size() + 3) {
      append_utf8(kSpaces[random.below(kSpaces.size())], out);
    } else {
      for (std::uint64_t letters = random.below(5); letters > 0; --letters) {
        append_utf8(U'a' + static_cast<char32_t>(random.below(26)), out);
      }
    }
  }
  return out;
}

// FNV-1a over 64-bit words.
class ResultHash {
 public:
  void add(std::uint64_t word) { value_ = (value_ ^ word) * 0x100000001B3ull; }
  void add_encoding(const EncodedText& encoding) {
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      add(static_cast<std::uint64_t>(encoding.ids[i]));
      add(static_cast<std::uint64_t>(encoding.characters[i].begin));
      add(static_cast<std::uint64_t>(encoding.characters[i].end));
    }
  }
  void add_text(std::string_view text) {
    for (const char byte : text) add(static_cast<unsigned char>(byte));
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325ull;
};

}  // namespace moescope::text
