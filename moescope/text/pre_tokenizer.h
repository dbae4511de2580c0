// The pre-tokenizers of tokenizer.json: they cut the normalized text into words, which the model then cuts into tokens.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "moescope/text/pre_tokenized.h"

namespace moescope::text {

// Immutable; safe to use from many threads.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(PreTokenized& text) const = 0;
};

// `place` is the path of `json` in the file. With `may_keep_bytes` a last ByteLevel leaves raw bytes (Split::is_bytes)
// instead of writing out their characters. Throws kInput that names an unknown component or a wrong field.
std::unique_ptr<PreTokenizer> make_pre_tokenizer(const nlohmann::json& json, const std::string& place,
                                                 bool may_keep_bytes);

}  // namespace moescope::text
