// The concept library: a concept is a name, a category and a rule that marks characters of a text: regular expressions,
// or tags of words (parts of speech). A token stands for a concept if any character of its span is marked.
//
// The built-in concepts are the 58 of "The Expert Strikes Back" (latex 12, code 20, text 10, pos 16; names as in its
// published tables). They are a JSON file of the same form as a user's:
//   {"concepts": [{"name": "is_comment", "category": "code", "expressions": ["#[^\\n]*"]},
//                 {"name": "noun", "category": "pos", "tags": ["NOUN"]}]}
// Expressions are PCRE2 with Unicode, ^ and $ at lines. An expression marks its groups called `mark` (several are
// allowed, `(?<mark>...)`), or its whole match if it has none. Tags come with the text (io/tagged_text.h); a text
// without tags has no marks of such a concept. Non-goals: tagging, parsing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/io/tagged_text.h"
#include "moescope/text/tokenizer.h"  // Offset

namespace moescope::text {

struct Concept {
  std::string name;
  std::string category;
  std::vector<std::string> expressions;  // one of the two is empty
  std::vector<std::string> tags;
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

  // The same for a concept of tags: the bytes of the words that carry one of them. `words`: byte ranges in the text
  // with their tags, in any order. Nothing for a concept of expressions.
  std::vector<Offset> tag_marks(std::size_t concept_idx, std::span<const io::TaggedWord> words) const;

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
