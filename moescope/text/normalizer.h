// The normalizers of tokenizer.json: they change the text before it is cut, and keep where each character came from.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "moescope/text/aligned_text.h"

namespace moescope::text {

// Immutable; safe to use from many threads.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(AlignedText& text) const = 0;
};

// `place` is the path of `json` in the file. Throws kInput that names an unknown component or a wrong field.
std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& place);

}  // namespace moescope::text
