// What normalizers, pre-tokenizers and decoders look for: a literal string, a regular expression or a kind of
// character; and the five ways to split at what was found.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::text {

// Parts cover the text without gaps or overlaps, in order.
struct PatternPart {
  std::size_t begin, end;
  bool is_match;
};

// Immutable; safe to use from many threads.
class Pattern {
 public:
  virtual ~Pattern() = default;

  // The whole text as matches and what lies between them; a match can be empty. An empty text is one part.
  std::vector<PatternPart> parts(std::string_view text) const;

 protected:
  struct Range {
    std::size_t begin, end;
  };
  virtual void find_all(std::string_view text, std::vector<Range>& matches) const = 0;
};

std::unique_ptr<Pattern> make_literal_pattern(const std::string& literal);
std::unique_ptr<Pattern> make_character_pattern(bool (*is_match)(char32_t));
// Oniguruma's syntax. Throws kInput that shows the expression and what is wrong or unknown in it.
std::unique_ptr<Pattern> make_regex_pattern(const std::string& expression);

// {"String": "..."} or {"Regex": "..."}; `place` is the path of `json` in the file.
std::unique_ptr<Pattern> make_pattern(const nlohmann::json& json, const std::string& place);

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Throws kInput that names an unknown behaviour.
SplitBehavior parse_split_behavior(const std::string& name, const std::string& place);

// The parts that remain after splitting at the matches. is_match has no meaning in the result.
std::vector<PatternPart> split_parts(std::vector<PatternPart> parts, SplitBehavior behavior);

}  // namespace moescope::text
