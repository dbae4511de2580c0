// The post-processors of tokenizer.json: they add special tokens and trim white space off offsets.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/text/tokenizer.h"

namespace moescope::text {

// How many characters of white space (or "Ġ") a token's string begins and ends with.
struct WhiteSpaceEnds {
  std::uint32_t leading = 0, trailing = 0;
};
WhiteSpaceEnds white_space_ends_of(std::string_view piece);

struct DraftText {
  std::string_view text;  // the given one
  EncodedText encoding;
  std::vector<WhiteSpaceEnds> ends;  // of each token
};

// Immutable; safe to use from many threads.
class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual void apply(DraftText& draft, bool add_special_tokens) const = 0;
};

// `place` is the path of `json` in the file. Throws kInput that names an unknown component or a wrong field.
std::unique_ptr<PostProcessor> make_post_processor(const nlohmann::json& json, const std::string& place);

}  // namespace moescope::text
