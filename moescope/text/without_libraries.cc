// Stands in for regex.cc and normal_form.cc in a build without PCRE2 and ICU (MOESCOPE_WITH_TEXT=OFF): what would need
// them is an error when a tokenizer asks for it.
#ifndef MOESCOPE_WITH_TEXT

#include "moescope/base/error.h"
#include "moescope/text/normal_form.h"
#include "moescope/text/regex.h"

namespace moescope::text {
namespace {

Error no_text(const char* what) {
  return environment_error("{}: this moescope was built without PCRE2 and ICU", what)
      .hint("build with -DMOESCOPE_WITH_TEXT=ON, or give token ids");
}

}  // namespace

struct Regex::Program {};
struct Regex::Scratch {};

Regex::Regex(const std::string&) { throw no_text("a tokenizer with regular expressions"); }
Regex::~Regex() = default;
void Regex::find_all(std::string_view, const std::function<void(std::size_t, std::size_t)>&) const {
  throw no_text("a regular expression");
}

void normalize(NormalForm, AlignedText&) { throw no_text("a tokenizer that normalises"); }

}  // namespace moescope::text

#endif
