// From text to features: for every traced token the list of predicates that hold, before rare ones are dropped.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "moescope/label/predicates/predicates.h"
#include "moescope/label/predicates/token_groups.h"
#include "moescope/label/traced_run.h"

namespace moescope::label {

// Whose property a feature is.
enum class FeatureOwner : std::uint8_t {
  kToken,
  kBefore1,  // the token before
  kBefore2,  // the token before that
  kWord1,    // the last whole word before
  kWord2,    // the word before that
  kPlace,    // where the token stands
  kHistory,  // what happened before in the context
  kConcept,
  kDomain
};

// In the order of preference: of two columns that are equal, the one of the earlier family stays.
enum class FeatureFamily : std::uint8_t {
  kPiece,         // token id
  kWord,          // lower-case text without white space
  kClass,         // PieceClass
  kFunctionWord,  // FunctionWord
  kStart,         // 0 continues a word, 1 starts a word, 2 second piece of a word, 3 third or later piece
  kGroup,         // token_groups.h
  kWordSoFar,     // letters up to the end of the token
  kSuffix,
  kPrefix,
  kLength,       // at least so many characters
  kShort,        // at most so many characters
  kFrequent,     // among the so many most frequent pieces
  kBigram,       // the two tokens before
  kInside,       // Inside
  kLine,         // Line
  kIndent,       // at least so many columns
  kLineLength,   // at least so many characters before it in the line
  kLineFirst,    // first word or sign of the line
  kBracketKind,  // innermost open bracket
  kDepth,        // at least so many open brackets
  kArgument,     // owner of the innermost brace
  kEnvironment,
  kTextKind,
  kLastMark,         // last character before that is not white space
  kSentenceWords,    // at most so many words before it in the sentence
  kLongSentence,     // at least so many
  kSeen,             // Seen
  kRecent,           // same token within so many tokens
  kContextPosition,  // among the first so many tokens of the context
  kDocumentStart,    // among the first so many tokens of the document
  kConcept,
  kDomain
};

enum class Inside : std::uint8_t {
  kMath,
  kDisplayMath,
  kComment,
  kString,
  kQuotes,
  kUrl,
  kNumber,
  kTag,
  kCall,
  kBrackets,
  kCount
};
enum class LinePart : std::uint8_t { kStart, kFirstOfText, kAfterBlankLine, kSentenceStart, kAfterSpace, kCount };
enum class Seen : std::uint8_t { kToken, kWord, kPair, kTriple, kCopy, kPreviousSeen, kCount };

struct FeatureKey {
  FeatureOwner owner;
  FeatureFamily family;
  std::uint32_t value;
  std::uint64_t packed() const {
    return (static_cast<std::uint64_t>(owner) << 40) | (static_cast<std::uint64_t>(family) << 32) | value;
  }
};

// Features of all tokens, in corpus order.
struct FeatureRows {
  std::vector<FeatureKey> features;        // by feature number
  std::vector<std::size_t> row_begin;      // [N + 1]
  std::vector<std::uint32_t> row_items;    // feature numbers by token
  std::vector<std::string> strings;        // what string values point to
  std::vector<std::string> concept_names;  // values of FeatureOwner::kConcept
};

// Concept marks by token: `marks[c]` has N bits. Empty without concepts.
struct ConceptMarks {
  std::vector<std::string> names;
  std::vector<Bits> marks;
};

// `in_explain` [N]: tokens whose counts may be used (piece frequencies). Reads run.tokens, documents and pieces only.
FeatureRows extract_features(const TracedRun& run, const std::vector<bool>& in_explain, const TokenGroups& groups,
                             const ConceptMarks& concepts);

// How a feature is said (feature_names.cc).
Predicate describe(const FeatureKey& key, const FeatureRows& rows, const TracedRun& run, const TokenGroups& groups);

struct PredicateOptions {
  std::int64_t min_support = 20;        // explain tokens where it must hold, and where it must not
  std::int64_t max_predicates = 20000;  // the best supported ones stay
};

struct PredicateCounts {
  std::int64_t n_features = 0;  // seen at all
  std::int64_t n_rare = 0;      // left out: too little support
  std::int64_t n_equal = 0;     // left out: same column as another
  std::int64_t n_over = 0;      // left out: over max_predicates
};

// Columns in the order of `rows_order` (row i is token rows_order[i]); the first n_explain rows are the explain part.
PredicateTable make_predicates(const FeatureRows& rows, const std::vector<std::uint32_t>& rows_order,
                               std::size_t n_explain, const TracedRun& run, const TokenGroups& groups,
                               const PredicateOptions& options, PredicateCounts* counts);

}  // namespace moescope::label
