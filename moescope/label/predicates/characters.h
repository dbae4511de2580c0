// UTF-8 characters and the few properties of them that predicates need, without a Unicode library, so that the
// explainer also builds where text support is left out.
//
// Letters: ASCII, and from U+00C0 on everything outside the blocks of punctuation, symbols and pictographs. Case: Latin
// (with Latin-1 and Extended-A), Greek and Cyrillic. Non-goal: full Unicode properties (text/concepts has them).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace moescope::label {

struct CodePoint {
  char32_t value = 0;  // U+FFFD for bytes that are no character
  int n_bytes = 1;
};

// The character at byte `at` (< text.size()). Bytes that are not UTF-8 give U+FFFD of length 1.
CodePoint code_point_at(std::string_view text, std::size_t at);
std::string to_utf8(char32_t c);

bool is_space(char32_t c);
bool is_digit(char32_t c);  // 0-9
bool is_letter(char32_t c);
bool is_latin(char32_t c);  // a letter of the Latin script
bool is_upper(char32_t c);
char32_t to_lower(char32_t c);
std::string to_lower(std::string_view text);

// Without white space at both ends.
std::string_view stripped(std::string_view text);

// For people: in single quotes (double ones around a piece that holds a single one), a leading or trailing space as
// '␣', newline '\n', tab '\t', other control characters and broken bytes as '\xNN' or '\uFFFD'. Long runs of spaces are
// counted.
std::string shown(std::string_view piece);

}  // namespace moescope::label
