// Manual pages (man and mdoc macros of roff) as the plain text that a reader of the page sees, near enough: headings,
// paragraphs filled to 78 columns, examples line by line, fonts and spacing gone.
//
// Goal: natural text for a corpus from any page, and never an error. Non-goals: layout of tables and equations,
// evaluation of roff registers, macros that a page defines for itself (their lines are left out).
// Source: groff(7), groff_man(7), mdoc(7).
#pragma once

#include <string>
#include <string_view>

namespace moescope::io {

// `source`: valid UTF-8. The result is valid UTF-8, and empty for a page that only refers to another one.
std::string roff_to_text(std::string_view source);

// One line with its escape sequences resolved: "\fBls\fR \-l" is "ls -l". `continues` is set if the line asks to be
// joined to the next without a space (\c).
std::string resolve_roff_escapes(std::string_view line, bool& continues);

}  // namespace moescope::io
