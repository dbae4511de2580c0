// GPT-2's byte alphabet (each byte is written as one printable character: space is "Ġ") and its splitting of text into
// words. Source: Radford et al. 2019, encoder.py; the regular expression is quoted at next_gpt2_word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moescope::text {

// The character that stands for a byte (below U+0144).
char32_t byte_character(std::uint8_t byte);
// The byte that a character stands for, if it stands for one.
std::optional<std::uint8_t> character_byte(char32_t c);

// The bytes that `piece` stands for, or nothing if it has a character outside the alphabet.
std::optional<std::string> from_byte_characters(std::string_view piece);

// End of the word that starts at `begin` (< size) of valid UTF-8; words cover the text without gaps. The same pieces as
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ gives, written out for speed.
std::size_t next_gpt2_word(std::string_view text, std::size_t begin);

}  // namespace moescope::text
