#include "moescope/text/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "moescope/io/utf8.h"
#include "moescope/text/unicode_tables.h"

namespace moescope::text {
namespace {

constexpr CodePointRange kSpaceRanges[] = {{0x9, 0xD},       {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                           {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                           {0x205F, 0x205F}, {0x3000, 0x3000}};

// The class of every code point in two stages: blocks of 256, equal blocks stored once.
class ClassTable {
 public:
  ClassTable() {
    std::vector<std::uint8_t> flat(kCodePoints, static_cast<std::uint8_t>(CharacterClass::kOther));
    const auto fill = [&flat](const auto& ranges, CharacterClass which) {
      for (const CodePointRange& range : ranges) {
        std::fill(flat.begin() + range.first, flat.begin() + range.last + 1, static_cast<std::uint8_t>(which));
      }
    };
    fill(kLetterRanges, CharacterClass::kLetter);
    fill(kNumberRanges, CharacterClass::kNumber);
    fill(kSpaceRanges, CharacterClass::kSpace);
    for (std::size_t block = 0; block < first_.size(); ++block) add_block(flat.data() + block * kBlock, block);
  }

  CharacterClass operator[](char32_t c) const {
    return static_cast<CharacterClass>(blocks_[first_[c >> 8] + (c & 0xFF)]);
  }

 private:
  static constexpr std::size_t kCodePoints = 0x110000, kBlock = 256;

  void add_block(const std::uint8_t* block, std::size_t index) {
    for (std::size_t at = 0; at < blocks_.size(); at += kBlock) {
      if (std::equal(block, block + kBlock, blocks_.begin() + static_cast<std::ptrdiff_t>(at))) {
        first_[index] = static_cast<std::uint32_t>(at);
        return;
      }
    }
    first_[index] = static_cast<std::uint32_t>(blocks_.size());
    blocks_.insert(blocks_.end(), block, block + kBlock);
  }

  std::array<std::uint32_t, kCodePoints / kBlock> first_{};
  std::vector<std::uint8_t> blocks_;
};

// The last of the sorted rows that starts at or before `c`, or the end.
template <typename Row, std::size_t n>
const Row* last_run_from(const Row (&rows)[n], char32_t c) {
  const Row* above =
      std::upper_bound(rows, rows + n, c, [](char32_t value, const Row& row) { return value < row.first; });
  return above == rows ? rows + n : above - 1;
}

template <std::size_t n>
bool is_in(const CodePointRange (&ranges)[n], char32_t c) {
  const CodePointRange* range = last_run_from(ranges, c);
  return range != ranges + n && c <= range->last;
}

}  // namespace

namespace detail {

const std::uint8_t kAsciiClass[128] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                       0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2,
                                       2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                       1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1,
                                       1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0};

CharacterClass wide_class(char32_t c) {
  static const ClassTable table;
  return table[c];
}

}  // namespace detail

bool is_word_character(char32_t c) { return is_in(kWordRanges, c); }

bool is_numeric(char32_t c) { return is_in(kDigitRanges, c); }

bool is_punctuation(char32_t c) { return is_in(kPunctuationRanges, c); }

LowercaseCharacter lowercase(char32_t c) {
  if (c == U'\u0130') return {U'i', U'\u0307'};
  const auto run = last_run_from(kLowercaseRuns, c);
  if (run == std::end(kLowercaseRuns) || c > run->last || (c - run->first) % run->step != 0) return {c, 0};
  return {static_cast<char32_t>(static_cast<std::int32_t>(c) + run->delta), 0};
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text) {
  int n_invalid = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const int length = io::utf8_character(text.substr(i), n_invalid);
    if (length == 0) return i;
    i += static_cast<std::size_t>(length);
  }
  return std::nullopt;
}

void append_utf8(char32_t c, std::string& out) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

std::size_t count_code_points(std::string_view text) {
  std::size_t n = 0;
  for (const char byte : text) n += !is_continuation(byte);
  return n;
}

}  // namespace moescope::text
