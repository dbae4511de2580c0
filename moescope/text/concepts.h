// The concept library: a concept is a name, a category and regular expressions that mark characters of a text. A token
// stands for a concept if any character of its span is marked.
//
// The built-in concepts are those of "The Expert Strikes Back" that expressions can tell (latex 12, code 20, text 10;
// names as in its published tables). They are a JSON file of the same form as a user's:
//   {"concepts": [{"name": "is_comment", "category": "code", "expressions": ["#[^\\n]*"]}]}
// Expressions are PCRE2 with Unicode, ^ and $ at lines. An expression marks its groups called `mark` (several are
// allowed, `(?<mark>...)`), or its whole match if it has none.
// Non-goals: concepts of words with tags (parts of speech), parsing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/text/tokenizer.h"  // Offset

namespace moescope::text {

struct Concept {
  std::string name;
  std::string category;
  std::vector<std::string> expressions;
};

// Immutable; safe to use from many threads.
class ConceptLibrary {
 public:
  static ConceptLibrary built_in();
  // Throws kInput naming the file and the concept: not of the form above, a name twice, an expression that does not
  // compile (with its place).
  static ConceptLibrary load(const std::filesystem::path& path);
  static ConceptLibrary from_json(std::string_view json, const std::string& place);

  ConceptLibrary(ConceptLibrary&&) noexcept;
  ConceptLibrary& operator=(ConceptLibrary&&) noexcept;
  ~ConceptLibrary();

  std::size_t size() const;
  const Concept& at(std::size_t concept_idx) const;

  // Marked bytes of `text` as sorted, disjoint, non-empty ranges. Bytes that are not UTF-8 match nothing. Throws kInput
  // if an expression takes more steps than the engine allows on this text.
  std::vector<Offset> marks(std::size_t concept_idx, std::string_view text) const;

  // For every token whether the concept shows by the end of that token: whether its span holds a mark when the text is
  // cut off behind it. `tokens`: byte ranges, rising ends, within `text`. `begins_line`: `text` starts a line. To stay
  // linear only matches of at most kLookBack bytes that reach into the token are sure to be found.
  static constexpr std::int64_t kLookBack = 400;
  std::vector<bool> visible(std::size_t concept_idx, std::string_view text, std::span<const Offset> tokens,
                            bool begins_line) const;

 private:
  struct Impl;
  explicit ConceptLibrary(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The built-in file, to be read and extended by users.
std::string_view built_in_concepts_json();

}  // namespace moescope::text
