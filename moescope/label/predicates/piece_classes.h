// What a single token is, from its piece alone: classes of spelling and classes of function words.
//
// A piece belongs to one fine class (a capitalised word, a closing bracket, ...) and to the wider classes that hold it
// (letters, punctuation, white space). English function words are told by closed lists. Partial characters of a byte
// fallback vocabulary are a class of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::label {

enum class PieceClass : std::uint8_t {
  // fine classes: exactly one holds
  kLowerWord,
  kCapitalised,
  kAllCapitals,
  kMixedCase,
  kSingleLetter,
  kNonLatin,
  kNumber,
  kLettersAndDigits,
  kOpeningBracket,
  kClosingBracket,
  kQuote,
  kPause,        // , ; :
  kSentenceEnd,  // . ! ?
  kDash,
  kOperator,
  kSymbol,  // other single signs
  kManySigns,
  kSpaces,
  kNewline,
  kIndentation,  // a newline and what begins the next line, or a run of spaces
  kPartial,      // bytes that are no character by themselves
  kEmpty,
  kWordAndSigns,  // letters or digits together with signs
  // Wider classes.
  kLetters,
  kUpperInitial,
  kSigns,
  kWhiteSpace,
  kBracket,
  kHasNewline,
  kHasDigit,
  kUnderscore,  // contains '_'
  kBackslash,   // begins with '\'
  kCount
};

// How a class is called: as a thing ("closing brackets"), as a property ("that are closing brackets"), and not.
struct ClassName {
  const char* id;
  const char* things;
  const char* property;
};
const ClassName& class_name(PieceClass piece_class);

// All classes of a piece (its white space at both ends set aside unless it is nothing else).
std::vector<PieceClass> classes_of(std::string_view piece);
PieceClass fine_class_of(std::string_view piece);

enum class FunctionWord : std::uint8_t {
  kDeterminer,
  kPreposition,
  kPronoun,
  kAuxiliary,
  kModal,
  kConjunction,
  kNegation,
  kWh,
  kAdverb,  // common adverbs and particles
  kPossessive,
  kNumberWord,
  kAny,  // any of them
  kCount
};
const ClassName& function_word_name(FunctionWord kind);

// Kinds of a lower-case word; a word may have several ("that"); empty for a content word.
const std::vector<FunctionWord>& function_words_of(const std::string& lower_word);

}  // namespace moescope::label
