// Sets of code points by their Oniguruma names (\p{Lu}, \p{Han}, [:punct:], \w), as ICU sets, and how to write such a
// set into a PCRE2 expression.
//
// General categories, alphabetic characters and common scripts follow Unicode 16, as Oniguruma does in Hugging Face's
// tokenizers; other properties follow the ICU of this machine.
#pragma once

#include <unicode/uniset.h>

#include <optional>
#include <string>

namespace moescope::text {

// \s, \d, \w, \h (hexadecimal digits) by their letter.
icu::UnicodeSet escape_set(char letter);

// The name in \p{...}: a general category, a script, a binary property, or one of POSIX's classes. With `is_bracket` it
// is the one in [:...:], where "punct" takes symbols too. Nothing if the name is unknown.
std::optional<icu::UnicodeSet> named_set(const std::string& name, bool is_bracket);

// A PCRE2 class "[...]" of exactly these characters (without surrogates, which UTF-8 does not have).
std::string to_pcre_class(const icu::UnicodeSet& set);

}  // namespace moescope::text
