// Unicode normal forms (UAX #15) with a record of what became of each character.
//
// Decomposition, combining classes and composition come from ICU, restricted to the characters of Unicode 9: Hugging
// Face's tokenizers normalise by that version, and to it later characters are inert.
#pragma once

#include <string_view>
#include <vector>

#include "moescope/text/aligned_text.h"

namespace moescope::text {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Changes `text` to the form; unchanged text stays without a span table.
void normalize(NormalForm form, AlignedText& text);

}  // namespace moescope::text
