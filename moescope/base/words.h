// Enumerators and the words that files, flags and tables call them by: one table for an enum, beside its definition.
//
//   enum class TieRule { kFirst, kRandom };
//   constexpr auto words_for(TieRule) {
//     return std::to_array<Word<TieRule>>({{TieRule::kFirst, "first"}, {TieRule::kRandom, "random"}});
//   }
#pragma once

#include <array>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/base/error.h"

namespace moescope {

template <typename Enum>
struct Word {
  Enum value;
  const char* word;
};

template <typename Enum>
concept HasWords = requires(Enum value) {
  words_for(value);
};

template <HasWords Enum>
const char* word_of(Enum value) {
  for (const auto& [known, word] : words_for(value)) {
    if (known == value) return word;
  }
  MOESCOPE_ASSERT(false);
  return "";
}

template <HasWords Enum>
std::vector<std::string> all_words() {
  std::vector<std::string> words;
  for (const auto& entry : words_for(Enum{})) words.emplace_back(entry.word);
  return words;
}

// usage_error that lists the allowed words, with the nearest as a hint where one is near.
Error unknown_word(std::string_view word, const std::vector<std::string>& allowed);

// Throws kUsage as unknown_word.
template <HasWords Enum>
Enum parse_word(std::string_view word) {
  for (const auto& entry : words_for(Enum{})) {
    if (word == entry.word) return entry.value;
  }
  throw unknown_word(word, all_words<Enum>());
}

// The candidate that `word` is most likely a misspelling of; "" where none is near (more than a third of its letters
// differ, by insertions, deletions, replacements and swapped neighbours). Ties go to the first.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

// "did you mean 'tokens'?", or "" where none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates,
                         std::string_view prefix = "");

}  // namespace moescope
