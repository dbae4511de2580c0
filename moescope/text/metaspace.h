// Settings of Metaspace ("▁" for a space), which is a pre-tokenizer and a decoder with the same fields.
#pragma once

#include <string>

#include "moescope/text/json_fields.h"
#include "moescope/text/unicode.h"

namespace moescope::text {

enum class PrependScheme { kFirst, kNever, kAlways };  // where a replacement is put before the text

struct MetaspaceOptions {
  std::string replacement;  // one character
  PrependScheme scheme = PrependScheme::kAlways;
  bool split = true;
};

inline MetaspaceOptions read_metaspace(const JsonFields& fields) {
  MetaspaceOptions options;
  options.replacement = fields.string("replacement");
  if (count_code_points(options.replacement) != 1) {
    throw input_error("{} is not one character: {}", fields.place_of("replacement"),
                      io::quote_name(options.replacement));
  }
  options.split = fields.boolean("split", true);
  const auto scheme = fields.optional_string("prepend_scheme");
  if (scheme && *scheme != "always") {
    if (*scheme != "first" && *scheme != "never") {
      throw input_error("{} is the unknown scheme {}", fields.place_of("prepend_scheme"), io::quote_name(*scheme));
    }
    options.scheme = *scheme == "first" ? PrependScheme::kFirst : PrependScheme::kNever;
  }
  // Files of older versions say it with add_prefix_space.
  if (!fields.boolean("add_prefix_space", true)) {
    if (scheme && options.scheme != PrependScheme::kNever) {
      throw input_error("{}: add_prefix_space contradicts prepend_scheme", fields.place());
    }
    options.scheme = PrependScheme::kNever;
  }
  return options;
}

}  // namespace moescope::text
