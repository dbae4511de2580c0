// Regular expressions in Oniguruma's syntax, as tokenizer.json has them, run by PCRE2.
//
// Oniguruma and PCRE2 differ in what \s \w \d \h \v \b mean, in Unicode versions, in character classes (nesting, "&&"),
// in "^ $ (?m)", in stacked quantifiers and in how far (?i) reaches; the expression is rewritten so that PCRE2 finds
// the same. Non-goals (an error names them): (?x), absent groups (?~...), subexpression calls, \y \Y \C \M \c and
// numbered references above 9. Not detected: (?i) where one letter folds to two (Oniguruma finds "SS" for "ß").
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::text {

// The expression for PCRE2 (UTF and MULTILINE). Throws kInput that shows the expression and what is wrong in it.
std::string translate_oniguruma(const std::string& expression);

// Immutable, except for working memory that one search owns at a time; safe to use from many threads.
class Regex {
 public:
  // Throws kInput that shows the expression and what is wrong in it.
  explicit Regex(const std::string& oniguruma);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Calls found(begin, end) for each match from left to right in valid UTF-8. An empty match right behind another match
  // does not count. Throws kInput if the search exceeds PCRE2's limits.
  void find_all(std::string_view text, const std::function<void(std::size_t, std::size_t)>& found) const;

 private:
  struct Program;
  struct Scratch;
  std::unique_ptr<Scratch> take_scratch() const;

  std::string expression_;  // as given, for messages
  std::unique_ptr<Program> program_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> scratch_;  // those that no search owns
};

}  // namespace moescope::text
