// The decoders of tokenizer.json: pieces become text again.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace moescope::text {

// Immutable; safe to use from many threads.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Changes the pieces of one text; their concatenation is the text in the end.
  virtual void decode(std::vector<std::string>& pieces) const = 0;
  // The bytes that one piece stands for in the middle of a text; need not be valid UTF-8.
  virtual std::string piece_bytes(std::string piece) const = 0;
};

// `place` is the path of `json` in the file. Throws kInput that names an unknown component or a wrong field.
std::unique_ptr<Decoder> make_decoder(const nlohmann::json& json, const std::string& place);

}  // namespace moescope::text
