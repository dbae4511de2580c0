// Added tokens: strings that become one token wherever they stand in the text, before anything else looks at it.
// Those that are not `normalized` are looked for in the given text, the others in the normalized text.
// Source: Hugging Face's tokenizer/added_vocabulary.rs.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "moescope/text/bpe.h"
#include "moescope/text/pre_tokenized.h"

namespace moescope::text {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool normalized = true;
  bool special = false;  // left out when decoding
};

// Finds the leftmost longest of many strings. Immutable after filling.
class StringMatcher {
 public:
  // Empty strings never match. Of two equal strings the first counts.
  void add(std::string_view text, std::size_t value);

  struct Match {
    std::size_t begin, end, value;
  };
  // The first match at or behind `from`; false if there is none.
  bool find(std::string_view text, std::size_t from, Match* match) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, std::uint32_t>> next;  // few; sorted is not worth it
    std::ptrdiff_t value = -1;
  };
  std::vector<Node> nodes_ = std::vector<Node>(1);
  std::int32_t first_[256] = {};  // node of each first byte; 0 if none
};

// Immutable after loading.
class AddedTokens {
 public:
  // `tokens` is "added_tokens" of tokenizer.json. `normalize` normalizes a content.
  AddedTokens(const nlohmann::json& tokens, const BpeModel& model,
              const std::function<std::string(std::string_view)>& normalize);

  // Cuts out the tokens that are looked for in the given (or else in the normalized) text.
  void extract(PreTokenized& text, bool in_normalized) const;

  const std::vector<AddedToken>& tokens() const { return tokens_; }

 private:
  void cut(const StringMatcher& matcher, const Split& split, std::vector<Split>& out) const;

  std::vector<AddedToken> tokens_;
  StringMatcher given_, normalized_;
  bool has_given_ = false, has_normalized_ = false;
};

}  // namespace moescope::text
