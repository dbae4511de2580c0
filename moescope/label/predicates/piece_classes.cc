#include "moescope/label/predicates/piece_classes.h"

#include <array>
#include <map>
#include <sstream>

#include "moescope/label/predicates/characters.h"

namespace moescope::label {

namespace {

constexpr std::array<ClassName, static_cast<std::size_t>(PieceClass::kCount)> kClassNames = {{
    {"lower_word", "lower-case words", "in lower case"},
    {"capitalised", "capitalised words", "capitalised"},
    {"all_capitals", "words in capitals", "in capitals"},
    {"mixed_case", "words in mixed case", "in mixed case"},
    {"single_letter", "single letters", "of one letter"},
    {"non_latin", "letters outside the Latin script", "outside the Latin script"},
    {"number", "numbers", "that are numbers"},
    {"letters_and_digits", "letters mixed with digits", "that mix letters and digits"},
    {"opening_bracket", "opening brackets", "that open a bracket"},
    {"closing_bracket", "closing brackets", "that close a bracket"},
    {"quote", "quotation marks", "that are quotation marks"},
    {"pause", "commas, colons and semicolons", "that are commas, colons or semicolons"},
    {"sentence_end", "full stops, question and exclamation marks", "that end a sentence"},
    {"dash", "hyphens and dashes", "that are dashes"},
    {"operator", "operators", "that are operators"},
    {"symbol", "single signs", "that are single signs"},
    {"many_signs", "runs of several signs", "of several signs"},
    {"spaces", "spaces", "that are spaces"},
    {"newline", "newlines", "that are newlines"},
    {"indentation", "indentation", "that indent"},
    {"partial", "parts of characters", "that are parts of a character"},
    {"empty", "empty pieces", "that are empty"},
    {"word_and_signs", "words joined with signs", "that join letters and signs"},
    {"letters", "words and parts of words", "made of letters"},
    {"upper_initial", "pieces that begin with a capital", "that begin with a capital"},
    {"signs", "punctuation and signs", "made of signs"},
    {"white_space", "white space", "that are white space"},
    {"bracket", "brackets", "that are brackets"},
    {"has_newline", "pieces with a newline", "with a newline"},
    {"has_digit", "pieces with a digit", "with a digit"},
    {"underscore", "pieces with '_'", "with '_'"},
    {"backslash", "pieces that begin with '\\'", "that begin with '\\'"},
}};

struct Spelling {
  int n = 0, n_letters = 0, n_upper = 0, n_latin = 0, n_digits = 0, n_signs = 0, n_broken = 0;
  bool upper_first = false;
  char32_t first = 0;
};

Spelling spelling_of(std::string_view text) {
  Spelling s;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    at += static_cast<std::size_t>(c.n_bytes);
    if (s.n == 0) s.first = c.value;
    if (c.value == 0xFFFD) {
      ++s.n_broken;
    } else if (is_letter(c.value)) {
      ++s.n_letters;
      s.n_latin += is_latin(c.value) ? 1 : 0;
      const bool upper = is_upper(c.value);
      s.n_upper += upper ? 1 : 0;
      if (s.n == 0) s.upper_first = upper;
    } else if (is_digit(c.value)) {
      ++s.n_digits;
    } else {
      ++s.n_signs;
    }
    ++s.n;
  }
  return s;
}

PieceClass class_of_white_space(std::string_view piece) {
  const std::size_t newline = piece.rfind('\n');
  if (newline == std::string_view::npos) return piece.size() > 1 ? PieceClass::kIndentation : PieceClass::kSpaces;
  return newline + 1 < piece.size() ? PieceClass::kIndentation : PieceClass::kNewline;
}

PieceClass class_of_sign(char32_t c) {
  switch (c) {
    case '(':
    case '[':
    case '{': return PieceClass::kOpeningBracket;
    case ')':
    case ']':
    case '}': return PieceClass::kClosingBracket;
    case '"':
    case '\'':
    case '`':
    case 0x2018:
    case 0x2019:
    case 0x201C:
    case 0x201D:
    case 0xAB:
    case 0xBB: return PieceClass::kQuote;
    case ',':
    case ';':
    case ':': return PieceClass::kPause;
    case '.':
    case '!':
    case '?': return PieceClass::kSentenceEnd;
    case '-':
    case 0x2010:
    case 0x2013:
    case 0x2014: return PieceClass::kDash;
    case '+':
    case '*':
    case '/':
    case '=':
    case '<':
    case '>':
    case '&':
    case '|':
    case '^':
    case '~':
    case '%': return PieceClass::kOperator;
    default: return PieceClass::kSymbol;
  }
}

PieceClass class_of_letters(const Spelling& s) {
  if (s.n_latin < s.n_letters) return PieceClass::kNonLatin;
  if (s.n == 1) return PieceClass::kSingleLetter;
  if (s.n_upper == 0) return PieceClass::kLowerWord;
  if (s.n_upper == s.n_letters) return PieceClass::kAllCapitals;
  return s.upper_first && s.n_upper == 1 ? PieceClass::kCapitalised : PieceClass::kMixedCase;
}

// A run of several signs counts by what it is for where all of them agree ("))", "==").
PieceClass class_of_signs(std::string_view text) {
  PieceClass common = PieceClass::kCount;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    at += static_cast<std::size_t>(c.n_bytes);
    const PieceClass one = class_of_sign(c.value);
    if (common == PieceClass::kCount) common = one;
    if (one != common) return PieceClass::kManySigns;
  }
  return common == PieceClass::kSymbol && text.size() > 3 ? PieceClass::kManySigns : common;
}

}  // namespace

const ClassName& class_name(PieceClass piece_class) { return kClassNames[static_cast<std::size_t>(piece_class)]; }

PieceClass fine_class_of(std::string_view piece) {
  if (piece.empty()) return PieceClass::kEmpty;
  const std::string_view text = stripped(piece);
  if (text.empty()) return class_of_white_space(piece);
  const Spelling s = spelling_of(text);
  if (s.n_broken > 0) return PieceClass::kPartial;
  if (s.n == s.n_letters) return class_of_letters(s);
  if (s.n == s.n_digits) return PieceClass::kNumber;
  if (s.n == s.n_signs) return class_of_signs(text);
  return s.n_signs == 0 ? PieceClass::kLettersAndDigits : PieceClass::kWordAndSigns;
}

std::vector<PieceClass> classes_of(std::string_view piece) {
  const PieceClass fine = fine_class_of(piece);
  std::vector<PieceClass> classes = {fine};
  const std::string_view text = stripped(piece);
  const Spelling s = spelling_of(text);
  if (!text.empty() && s.n == s.n_letters) classes.push_back(PieceClass::kLetters);
  if (s.upper_first) classes.push_back(PieceClass::kUpperInitial);
  if (!text.empty() && s.n == s.n_signs) classes.push_back(PieceClass::kSigns);
  if (!piece.empty() && text.empty()) classes.push_back(PieceClass::kWhiteSpace);
  if (fine == PieceClass::kOpeningBracket || fine == PieceClass::kClosingBracket) {
    classes.push_back(PieceClass::kBracket);
  }
  if (piece.find('\n') != std::string_view::npos) classes.push_back(PieceClass::kHasNewline);
  if (s.n_digits > 0) classes.push_back(PieceClass::kHasDigit);
  if (text.find('_') != std::string_view::npos) classes.push_back(PieceClass::kUnderscore);
  if (text.starts_with('\\')) classes.push_back(PieceClass::kBackslash);
  return classes;
}

namespace {

constexpr std::array<ClassName, static_cast<std::size_t>(FunctionWord::kCount)> kFunctionNames = {{
    {"determiner", "determiners", "that are determiners"},
    {"preposition", "prepositions", "that are prepositions"},
    {"pronoun", "pronouns", "that are pronouns"},
    {"auxiliary", "auxiliary verbs", "that are auxiliary verbs"},
    {"modal", "modal verbs", "that are modal verbs"},
    {"conjunction", "conjunctions", "that are conjunctions"},
    {"negation", "negations", "that negate"},
    {"wh_word", "wh-words", "that are wh-words"},
    {"adverb", "common adverbs", "that are common adverbs"},
    {"possessive", "possessives", "that are possessives"},
    {"number_word", "number words", "that are number words"},
    {"function_word", "function words", "that are function words"},
}};

constexpr std::array<const char*, static_cast<std::size_t>(FunctionWord::kAny)> kFunctionWords = {
    "the a an this that these those each every some any no all both either neither another such",
    "of in to for with on at from by about as into like through after over between out against during without before "
    "under around among upon within along across behind beyond toward towards above below near off per since until "
    "till beside besides despite except onto underneath via",
    "i you he she it we they me him her us them myself yourself himself herself itself ourselves themselves one "
    "someone anyone everyone nobody somebody anybody everybody nothing something anything everything none",
    "am is are was were be been being have has had having do does did doing done 's 're 've",
    "will would shall should can could may might must ought",
    "and or but nor so yet if because although though while whereas unless since when where than whether as that",
    "not no never n't nor none nothing neither without cannot",
    "who whom whose which what when where why how whoever whatever whichever",
    "then there here now also just only very too more most less so well still even again once always often ever up "
    "down out away back however therefore thus hence perhaps quite rather almost already soon much",
    "my your his her its our their mine yours hers ours theirs",
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty hundred thousand million "
    "first second third",
};

std::map<std::string, std::vector<FunctionWord>> make_function_words() {
  std::map<std::string, std::vector<FunctionWord>> words;
  for (std::size_t kind = 0; kind < kFunctionWords.size(); ++kind) {
    std::istringstream list(kFunctionWords[kind]);
    std::string word;
    while (list >> word) {
      std::vector<FunctionWord>& kinds = words[word];
      if (kinds.empty() || kinds.back() != static_cast<FunctionWord>(kind)) {
        kinds.push_back(static_cast<FunctionWord>(kind));
      }
    }
  }
  for (auto& [word, kinds] : words) kinds.push_back(FunctionWord::kAny);
  return words;
}

}  // namespace

const ClassName& function_word_name(FunctionWord kind) { return kFunctionNames[static_cast<std::size_t>(kind)]; }

const std::vector<FunctionWord>& function_words_of(const std::string& lower_word) {
  static const std::map<std::string, std::vector<FunctionWord>> words = make_function_words();
  static const std::vector<FunctionWord> none;
  const auto found = words.find(lower_word);
  return found == words.end() ? none : found->second;
}

}  // namespace moescope::label
