// The tables of unicode_ranges.inc, for unicode.cc and code_point_set.cc.
#pragma once

#include <cstdint>

namespace moescope::text {

struct CodePointRange {
  char32_t first, last;
};

struct CategoryRange {
  char32_t first, last;
  const char* name;  // of a general category or a script
};

struct LowercaseRun {
  char32_t first, last;
  std::uint8_t step;
  std::int32_t delta;
};

#include "moescope/text/unicode_ranges.inc"

}  // namespace moescope::text
