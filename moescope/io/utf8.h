// UTF-8 as foreign files have it: checked, and repaired where it is broken.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moescope::io {

// Bytes of the valid character at the start of `bytes` (1 to 4; overlong forms, surrogates and values over U+10FFFF are
// not valid), or 0. On 0, `n_invalid` is the length of the broken piece that one U+FFFD stands for: the longest start
// of a character that could have gone on, or 1 (Unicode standard, section 3.9, "maximal subpart").
int utf8_character(std::string_view bytes, int& n_invalid);

bool is_utf8(std::string_view bytes);

// The text with every broken piece replaced by U+FFFD; adds the number of bytes replaced to `n_replaced_bytes`.
std::string repair_utf8(std::string bytes, std::int64_t& n_replaced_bytes);

}  // namespace moescope::io
