// UTF-8 and the few character properties that tokenizing needs, at the Unicode version that Hugging Face's tokenizers
// use (unicode_ranges.inc), whatever version ICU and PCRE2 on this machine know.
//
// Functions that take text expect valid UTF-8 (check with find_invalid_utf8 first); they read no byte outside it.
// Non-goals: repair (io/utf8.h), normalisation and case (normalizer.h), regular expressions (regex.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moescope::text {

// Byte position of the first sequence that is not UTF-8 (overlong forms and surrogates are not), or nothing.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

constexpr bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Bytes of the character that starts with `lead` (1 to 4).
constexpr std::size_t utf8_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

constexpr std::size_t utf8_length(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

// The character at byte `i` of valid UTF-8.
constexpr char32_t decode_utf8(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<char32_t>(static_cast<unsigned char>(text[i + k])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return lead;
  if (lead < 0xE0) return (lead & 0x1F) << 6 | (byte(1) & 0x3F);
  if (lead < 0xF0) return (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  return (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
}

void append_utf8(char32_t c, std::string& out);

std::size_t count_code_points(std::string_view text);

// Start of the character before byte `i` (0 < i <= size).
constexpr std::size_t previous_character(std::string_view text, std::size_t i) {
  do --i;
  while (is_continuation(text[i]));
  return i;
}

// What a character is to a pre-tokenizer. The four classes are disjoint.
enum class CharacterClass : std::uint8_t { kOther, kLetter, kNumber, kSpace };

namespace detail {
extern const std::uint8_t kAsciiClass[128];
CharacterClass wide_class(char32_t c);
}  // namespace detail

// \p{L}, \p{N}, White_Space (\s), or none of them.
inline CharacterClass character_class(char32_t c) {
  return c < 128 ? static_cast<CharacterClass>(detail::kAsciiClass[c]) : detail::wide_class(c);
}

inline bool is_white_space(char32_t c) { return character_class(c) == CharacterClass::kSpace; }

// \w of Rust's regular expressions: alphabetic characters, marks, decimal digits, connectors and joiners.
bool is_word_character(char32_t c);

// What the pre-tokenizers Digits and Punctuation split at.
bool is_numeric(char32_t c);
bool is_punctuation(char32_t c);

// Lower case as in Rust: without context, one character or (for U+0130) two; `second` is 0 if there is none.
struct LowercaseCharacter {
  char32_t first, second;
};
LowercaseCharacter lowercase(char32_t c);

}  // namespace moescope::text
