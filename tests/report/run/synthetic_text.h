// A vocabulary of real-looking pieces and documents of prose, code and LaTeX made from them, for tests that need text
// without a model. The same seed gives the same text everywhere.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "moescope/base/random.h"

namespace moescope::report::testing {

enum class PieceClass {
  kDeterminer,
  kNoun,
  kVerb,
  kAdjective,
  kPreposition,
  kConjunction,
  kStop,
  kComma,
  kNumber,
  kOpening,
  kClosing,
  kOperator,
  kKeyword,
  kIdentifier,
  kCommand,
  kDollar,
  kNewline,
  kIndentation,
};
inline constexpr int kPieceClasses = 18;

inline const char* class_name(PieceClass c) {
  constexpr std::array kNames = {"determiners",      "nouns",         "verbs",      "adjectives",  "prepositions",
                                 "conjunctions",     "sentence ends", "commas",     "numbers",     "opening brackets",
                                 "closing brackets", "operators",     "keywords",   "identifiers", "LaTeX commands",
                                 "math delimiters",  "line ends",     "indentation"};
  return kNames[static_cast<std::size_t>(c)];
}

// Pieces by id, and the ids of every class. Nouns beyond the listed ones are invented words, common ones first.
class SyntheticVocabulary {
 public:
  SyntheticVocabulary(std::size_t n_vocab, std::uint64_t seed) {
    add("<|endoftext|>", PieceClass::kNewline);
    add_all(PieceClass::kDeterminer, {" the", " a", " this", " every", " no", " its", "The", "A", "Each"});
    add_all(PieceClass::kVerb,
            {" is", " gives", " shows", " holds", " moved", " returns", " depends", " was", " grew"});
    add_all(PieceClass::kAdjective, {" small", " new", " linear", " early", " finite", " open", " cold", " sparse"});
    add_all(PieceClass::kPreposition, {" of", " in", " on", " with", " from", " by", " under", " between"});
    add_all(PieceClass::kConjunction, {" and", " or", " but", " because", " while"});
    add_all(PieceClass::kStop, {".", "?", "!", ";"});
    add_all(PieceClass::kComma, {",", ":", " -"});
    add_all(PieceClass::kNumber, {"0", "1", "2", "7", " 10", "42", " 1998", "3.14", " 2,048"});
    add_all(PieceClass::kOpening, {"(", "{", "[", " ("});
    add_all(PieceClass::kClosing, {")", "}", "]", ");"});
    add_all(PieceClass::kOperator, {" =", " +", "==", " <", "->", "&&", " &", "*"});
    add_all(PieceClass::kKeyword, {"return", "if", "for", " int", "const", "while", "static"});
    add_all(PieceClass::kIdentifier, {" index", "count", " buffer", "node", "_size", " ptr", "value", " i"});
    add_all(PieceClass::kCommand, {"\\frac", "\\alpha", "\\sum", "\\mathbf", "\\leq", "\\label", "\\section"});
    add_all(PieceClass::kDollar, {"$", " $", "$$"});
    add_all(PieceClass::kNewline, {"\n", "\n\n"});
    add_all(PieceClass::kIndentation, {"  ", "    ", "\t"});
    add_all(PieceClass::kNoun,
            {" theorem", " model", " river", " council", " function", " expert", " cell", " winter"});
    add_all(PieceClass::kNoun,
            {" caf\xC3\xA9", " \xE6\x97\xA5\xE6\x9C\xAC", " \xD0\xBC\xD0\xB8\xD1\x80", "\xEF\xBF\xBD"});
    Random random(seed);
    while (pieces_.size() < n_vocab) add(invented_word(random), PieceClass::kNoun);
  }

  const std::vector<std::string>& pieces() const { return pieces_; }
  PieceClass class_of(std::int32_t id) const { return classes_[static_cast<std::size_t>(id)]; }

  // Low numbers are more likely, as in Zipf's law: density proportional to 1 / rank.
  std::int32_t draw(PieceClass c, Random& random) const {
    const auto& ids = by_class_[static_cast<std::size_t>(c)];
    const double rank = std::exp(random.uniform() * std::log(static_cast<double>(ids.size() + 1))) - 1;
    return ids[std::min(static_cast<std::size_t>(rank), ids.size() - 1)];
  }

 private:
  void add(std::string piece, PieceClass c) {
    by_class_[static_cast<std::size_t>(c)].push_back(static_cast<std::int32_t>(pieces_.size()));
    pieces_.push_back(std::move(piece));
    classes_.push_back(c);
  }

  void add_all(PieceClass c, std::initializer_list<const char*> pieces) {
    for (const char* piece : pieces) add(piece, c);
  }

  static std::string invented_word(Random& random) {
    constexpr std::array kSyllables = {"ra", "ne",  "ti",  "vo", "lum", "ser", "pla", "con", "der", "ith",
                                       "ma", "qua", "bel", "os", "ent", "fi",  "gar", "hy",  "ul",  "stre"};
    std::string word = " ";
    for (std::uint64_t n = 2 + random.below(3); n > 0; --n) word += kSyllables[random.below(kSyllables.size())];
    return word;
  }

  std::vector<std::string> pieces_;
  std::vector<PieceClass> classes_;
  std::array<std::vector<std::int32_t>, kPieceClasses> by_class_;
};

struct SyntheticDocument {
  std::string id, domain;
  std::vector<std::int32_t> tokens;
};

namespace detail {

inline std::vector<PieceClass> phrase_of(int domain, Random& random) {
  using enum PieceClass;
  if (domain == 0) {
    switch (random.below(4)) {
      case 0: return {kDeterminer, kAdjective, kNoun, kVerb, kPreposition, kDeterminer, kNoun, kStop};
      case 1: return {kDeterminer, kNoun, kComma, kConjunction, kDeterminer, kNoun, kVerb, kNumber, kNoun, kStop};
      case 2: return {kNoun, kVerb, kDeterminer, kNoun, kConjunction, kNoun, kPreposition, kNoun, kStop, kNewline};
      default: return {kPreposition, kDeterminer, kNoun, kOpening, kNoun, kClosing, kVerb, kNoun, kStop};
    }
  }
  if (domain == 1) {
    switch (random.below(3)) {
      case 0: return {kIndentation, kKeyword, kOpening, kIdentifier, kOperator, kNumber, kClosing, kOpening, kNewline};
      case 1: return {kIndentation, kIdentifier, kOperator, kIdentifier, kOpening, kIdentifier, kClosing, kNewline};
      default: return {kKeyword, kIdentifier, kOperator, kNumber, kStop, kNewline, kIndentation, kClosing, kNewline};
    }
  }
  switch (random.below(3)) {
    case 0: return {kDeterminer, kNoun, kDollar, kCommand, kOpening, kNumber, kClosing, kOperator, kCommand, kDollar};
    case 1: return {kCommand, kOpening, kNoun, kClosing, kNewline, kDeterminer, kNoun, kVerb, kNoun, kStop};
    default: return {kPreposition, kDollar, kIdentifier, kOperator, kNumber, kDollar, kComma, kNoun, kVerb, kStop};
  }
}

}  // namespace detail

inline constexpr std::array kDomains = {"Prose", "Code", "LaTeX"};

// Documents of three domains in turn: prose, code, LaTeX.
inline std::vector<SyntheticDocument> synthetic_documents(const SyntheticVocabulary& vocabulary, int n_documents,
                                                          int n_tokens, std::uint64_t seed) {
  std::vector<SyntheticDocument> documents;
  for (int d = 0; d < n_documents; ++d) {
    Random random(hash64(seed, static_cast<std::uint64_t>(d)));
    SyntheticDocument document{"corpus.jsonl:" + std::to_string(d + 1), kDomains[static_cast<std::size_t>(d % 3)], {}};
    while (document.tokens.size() < static_cast<std::size_t>(n_tokens)) {
      for (const PieceClass c : detail::phrase_of(d % 3, random)) document.tokens.push_back(vocabulary.draw(c, random));
    }
    document.tokens.resize(static_cast<std::size_t>(n_tokens));
    documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace moescope::report::testing
