#include "moescope/text/byte_level.h"

#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

constexpr bool is_printable_latin1(unsigned byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr char32_t kAlphabetEnd = 0x144;

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<std::int16_t, kAlphabetEnd> byte{};  // -1: no byte
};

// Printable bytes stand for themselves; the others take the code points from U+0100 on, in order.
constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  for (auto& byte : alphabet.byte) byte = -1;
  char32_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char32_t c = is_printable_latin1(byte) ? byte : next++;
    alphabet.character[byte] = c;
    alphabet.byte[c] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

// Length of 's 't 're 've 'm 'll 'd at `i`, which is an apostrophe; 0 if none.
std::size_t contraction_length(std::string_view text, std::size_t i) {
  const std::string_view next = text.substr(i + 1, 2);
  if (next.empty()) return 0;
  if (next[0] == 's' || next[0] == 't' || next[0] == 'm' || next[0] == 'd') return 2;
  return next == "re" || next == "ve" || next == "ll" ? 3 : 0;
}

CharacterClass class_at(std::string_view text, std::size_t i) { return character_class(decode_utf8(text, i)); }

std::size_t end_of_run(std::string_view text, std::size_t i, CharacterClass which) {
  while (i < text.size() && class_at(text, i) == which) i += utf8_length(text[i]);
  return i;
}

}  // namespace

char32_t byte_character(std::uint8_t byte) { return kAlphabet.character[byte]; }

std::optional<std::uint8_t> character_byte(char32_t c) {
  if (c >= kAlphabetEnd || kAlphabet.byte[c] < 0) return std::nullopt;
  return static_cast<std::uint8_t>(kAlphabet.byte[c]);
}

std::optional<std::string> from_byte_characters(std::string_view piece) {
  std::string out;
  for (std::size_t i = 0; i < piece.size(); i += utf8_length(piece[i])) {
    const auto byte = character_byte(decode_utf8(piece, i));
    if (!byte) return std::nullopt;
    out.push_back(static_cast<char>(*byte));
  }
  return out;
}

std::size_t next_gpt2_word(std::string_view text, std::size_t begin) {
  if (text[begin] == '\'') {
    if (const std::size_t length = contraction_length(text, begin); length > 0) return begin + length;
  }
  const CharacterClass first = class_at(text, begin);
  if (first != CharacterClass::kSpace) return end_of_run(text, begin, first);
  if (text[begin] == ' ' && begin + 1 < text.size()) {  // " ?": one space belongs to the word behind it
    const CharacterClass second = class_at(text, begin + 1);
    if (second != CharacterClass::kSpace) return end_of_run(text, begin + 1, second);
  }
  const std::size_t end = end_of_run(text, begin, CharacterClass::kSpace);
  if (end == text.size()) return end;
  // \s+(?!\S): all but the last space, which goes to the next word; a lone one stands for itself.
  const std::size_t last = previous_character(text, end);
  return last > begin ? last : end;
}

}  // namespace moescope::text
