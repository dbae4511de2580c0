#include "moescope/text/pattern.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/text/json_fields.h"
#include "moescope/text/regex.h"
#include "moescope/text/unicode.h"

namespace moescope::text {
namespace {

class LiteralPattern : public Pattern {
 public:
  explicit LiteralPattern(const std::string& literal) : literal_(literal) {}

 private:
  void find_all(std::string_view text, std::vector<Range>& matches) const override {
    for (std::size_t at = text.find(literal_); at != std::string_view::npos;) {
      matches.push_back({at, at + literal_.size()});
      at = text.find(literal_, at + literal_.size());
    }
  }
  std::string literal_;
};

class CharacterPattern : public Pattern {
 public:
  explicit CharacterPattern(bool (*is_match)(char32_t)) : is_match_(is_match) {}

 private:
  void find_all(std::string_view text, std::vector<Range>& matches) const override {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = i + utf8_length(text[i]);
      if (is_match_(decode_utf8(text, i))) matches.push_back({i, end});
      i = end;
    }
  }
  bool (*is_match_)(char32_t);
};

class RegexPattern : public Pattern {
 public:
  explicit RegexPattern(const std::string& expression) : regex_(expression) {}

 private:
  void find_all(std::string_view text, std::vector<Range>& matches) const override {
    regex_.find_all(text, [&matches](std::size_t begin, std::size_t end) { matches.push_back({begin, end}); });
  }
  Regex regex_;
};

// Each match that follows no match joins the part before it (in the direction of the loop).
std::vector<PatternPart> merge_matches(const std::vector<PatternPart>& parts) {
  std::vector<PatternPart> out;
  bool was_match = false;
  for (const PatternPart& part : parts) {
    if (part.is_match && !was_match && !out.empty()) {
      out.back().begin = std::min(out.back().begin, part.begin);
      out.back().end = std::max(out.back().end, part.end);
    } else {
      out.push_back(part);
    }
    was_match = part.is_match;
  }
  return out;
}

std::vector<PatternPart> join_equal(const std::vector<PatternPart>& parts) {
  std::vector<PatternPart> out;
  bool was_match = false;
  for (const PatternPart& part : parts) {
    if (part.is_match == was_match && !out.empty()) {
      out.back().end = part.end;
    } else {
      out.push_back(part);
    }
    was_match = part.is_match;
  }
  return out;
}

}  // namespace

std::vector<PatternPart> Pattern::parts(std::string_view text) const {
  if (text.empty()) return {{0, 0, false}};
  std::vector<Range> matches;
  find_all(text, matches);
  std::vector<PatternPart> out;
  std::size_t done = 0;
  for (const auto& [begin, end] : matches) {
    if (done != begin) out.push_back({done, begin, false});
    out.push_back({begin, end, true});
    done = end;
  }
  if (done != text.size()) out.push_back({done, text.size(), false});
  return out;
}

std::unique_ptr<Pattern> make_literal_pattern(const std::string& literal) {
  // The empty string is found everywhere, as the empty regular expression is.
  if (literal.empty()) return make_regex_pattern("");
  return std::make_unique<LiteralPattern>(literal);
}

std::unique_ptr<Pattern> make_character_pattern(bool (*is_match)(char32_t)) {
  return std::make_unique<CharacterPattern>(is_match);
}

std::unique_ptr<Pattern> make_regex_pattern(const std::string& expression) {
  return std::make_unique<RegexPattern>(expression);
}

std::unique_ptr<Pattern> make_pattern(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  if (const auto literal = fields.optional_string("String")) return make_literal_pattern(*literal);
  if (const auto expression = fields.optional_string("Regex")) {
    try {
      return make_regex_pattern(*expression);
    } catch (const Error& error) {
      throw error.at(place);
    }
  }
  throw input_error("{} has neither 'String' nor 'Regex'", place);
}

SplitBehavior parse_split_behavior(const std::string& name, const std::string& place) {
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  throw input_error("{} is the unknown behaviour {}", place, io::quote_name(name));
}

std::vector<PatternPart> split_parts(std::vector<PatternPart> parts, SplitBehavior behavior) {
  switch (behavior) {
    case SplitBehavior::kIsolated: return parts;
    case SplitBehavior::kRemoved:
      std::erase_if(parts, [](const PatternPart& part) { return part.is_match; });
      return parts;
    case SplitBehavior::kContiguous: return join_equal(parts);
    case SplitBehavior::kMergedWithPrevious: return merge_matches(parts);
    case SplitBehavior::kMergedWithNext: {
      std::reverse(parts.begin(), parts.end());
      parts = merge_matches(parts);
      std::reverse(parts.begin(), parts.end());
      return parts;
    }
  }
  return parts;
}

}  // namespace moescope::text
