// How features are said. Words here are the raw material of sentence.cc.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "moescope/base/error.h"
#include "moescope/label/predicates/characters.h"
#include "moescope/label/predicates/features.h"
#include "moescope/label/predicates/piece_classes.h"

namespace moescope::label {

namespace {

// Noun ranks: the more a literal says what the token is, the sooner it becomes the noun.
constexpr int kPieceRank = 9, kWordRank = 8, kFunctionRank = 7, kNarrowClassRank = 6, kGroupRank = 5,
              kWideClassRank = 4, kEndRank = 2;

struct Said {
  const char* id;
  const char* property;
  const char* negation;
};

constexpr std::array<Said, static_cast<std::size_t>(Inside::kCount)> kInsideNames = {{
    {"math", "inside math", "outside math"},
    {"display_math", "inside display math", "outside display math"},
    {"comment", "inside a comment", "outside comments"},
    {"string", "inside a string", "outside strings"},
    {"quotes", "inside quotation marks", "outside quotation marks"},
    {"url", "inside a URL", "outside URLs"},
    {"number", "inside a number", "outside numbers"},
    {"tag", "inside a markup tag", "outside markup tags"},
    {"call", "among the arguments of a call", "outside the arguments of a call"},
    {"brackets", "inside brackets", "outside brackets"},
}};

constexpr std::array<Said, static_cast<std::size_t>(LinePart::kCount)> kLineNames = {{
    {"start", "at the start of a line", "not at the start of a line"},
    {"first_of_text", "at the start of the text", "not at the start of the text"},
    {"after_blank_line", "after a blank line", "not after a blank line"},
    {"sentence_start", "at the start of a sentence", "not at the start of a sentence"},
    {"after_space", "directly after white space", "not directly after white space"},
}};

constexpr std::array<Said, static_cast<std::size_t>(Seen::kCount)> kSeenNames = {{
    {"token", "that occurred earlier in the context", "that are new in the context"},
    {"word", "whose word occurred earlier in the context", "whose word is new in the context"},
    {"pair", "that repeat an earlier pair of tokens", "that do not repeat an earlier pair"},
    {"triple", "that repeat an earlier run of three tokens", "that do not repeat an earlier run of three"},
    {"copy", "that copy what followed the previous token earlier", "that do not copy an earlier successor"},
    {"previous_seen", "after a token that occurred earlier", "after a token that is new in the context"},
}};

constexpr std::array<Said, 3> kKindNames = {{
    {"prose", "in prose", "outside prose"},
    {"code", "in code", "outside code"},
    {"latex", "in LaTeX", "outside LaTeX"},
}};

// Built-in concepts that have plainer words than their names. A mark counts once the text read so far completes it.
constexpr Said kConceptNames[] = {
    {"is_superscript", "inside a superscript", "outside superscripts"},
    {"is_subscript", "inside a subscript", "outside subscripts"},
    {"is_inline_math", "that complete inline math", "that do not complete inline math"},
    {"is_display_math", "that complete display math", "that do not complete display math"},
    {"is_math", "that complete a formula", "that do not complete a formula"},
    {"is_comment", "within a comment", "not within a comment"},
    {"is_string_literal", "that complete a string literal", "that do not complete a string literal"},
    {"is_import", "within an import", "not within an import"},
    {"is_function_def", "within a function definition", "not within a function definition"},
    {"is_class_def", "within a class definition", "not within a class definition"},
    {"is_assignment", "that complete the left side of an assignment",
     "that do not complete the left side of an assignment"},
    {"is_operator", "that are operators between operands", "that are not operators between operands"},
    {"is_constant", "within a CONSTANT name", "not within a CONSTANT name"},
    {"is_not_ascii", "with characters outside ASCII", "of ASCII characters only"},
    {"is_not_alphanumeric", "with punctuation or signs", "without punctuation or signs"},
    {"leading_capital", "that begin a word with a capital", "that do not begin a word with a capital"},
    {"leading_loweralpha", "that begin a word in lower case", "that do not begin a word in lower case"},
    {"all_digits", "of a whole number", "that are no whole number"},
    {"all_capitals", "of a word in capitals", "not of a word in capitals"},
    {"contains_whitespace", "with white space", "without white space"},
    {"contains_all_whitespace", "with a run of white space", "without a run of white space"},
    {"contains_capital", "with a capital", "without a capital"},
    {"contains_digit", "with a digit", "without a digit"},
};

Predicate simple(std::string id, std::string property, std::string negation) {
  return {std::move(id), "", std::move(property), std::move(negation), 0};
}

Predicate simple(const std::string& family, const Said& said) {
  return simple(family + ":" + said.id, said.property, said.negation);
}

std::string words_shown(const std::string& word) { return shown(word); }

// Three members stand for the group; the id lists them, so that a rule can be read without the run.
std::string group_examples(const std::vector<std::int32_t>& members, const TracedRun& run, std::size_t n) {
  std::vector<std::string> seen, examples;
  for (std::int32_t id : members) {
    const std::string text(stripped(run.pieces[static_cast<std::size_t>(id)]));
    const std::string word = text.empty() ? run.pieces[static_cast<std::size_t>(id)] : to_lower(text);
    if (std::find(seen.begin(), seen.end(), word) != seen.end()) continue;
    seen.push_back(word);
    examples.push_back(text.empty() ? shown(run.pieces[static_cast<std::size_t>(id)]) : shown(text));
    if (examples.size() == n) break;
  }
  return fmt::format("{}", fmt::join(examples, ", "));
}

// What a piece is, said of the token itself.
Predicate describe_token(const FeatureKey& key, const FeatureRows& rows, const TracedRun& run,
                         const TokenGroups& groups) {
  const auto text = [&] { return rows.strings[key.value]; };
  switch (key.family) {
    case FeatureFamily::kPiece: {
      const std::string piece = shown(run.pieces[key.value]);
      return {"piece:" + piece, piece, "that are " + piece, "other than " + piece, kPieceRank};
    }
    case FeatureFamily::kWord: {
      const std::string word = words_shown(text());
      const bool letters = is_letter(code_point_at(text(), 0).value);
      return {"word:" + word, word + (letters ? " in any spelling" : " with or without space"), "that are " + word,
              "other than " + word, kWordRank};
    }
    case FeatureFamily::kClass: {
      const ClassName& name = class_name(static_cast<PieceClass>(key.value));
      const bool wide = static_cast<PieceClass>(key.value) >= PieceClass::kWordAndSigns;
      const std::string negation = std::string(name.property).starts_with("that are ")
                                       ? std::string("that are not ") + std::string(name.property).substr(9)
                                       : std::string("other than ") + name.things;
      return {std::string("class:") + name.id, name.things, name.property, negation,
              wide ? kWideClassRank : kNarrowClassRank};
    }
    case FeatureFamily::kFunctionWord: {
      const ClassName& name = function_word_name(static_cast<FunctionWord>(key.value));
      return {std::string("function:") + name.id, name.things, name.property, std::string("other than ") + name.things,
              kFunctionRank};
    }
    case FeatureFamily::kGroup: {
      const auto& members = groups.members[key.value];
      const std::string things = "pieces used like " + group_examples(members, run, 3);
      return {fmt::format("group:{}({})", key.value, group_examples(members, run, 6)), things,
              "used like " + group_examples(members, run, 3), "not used like " + group_examples(members, run, 3),
              kGroupRank};
    }
    case FeatureFamily::kStart: {
      constexpr std::array<Said, 4> names = {
          {{"continues_word", "that continue a word", "that do not continue a word"},
           {"starts", "that do not continue a word", "that continue a word"},
           {"second_piece", "that are the second piece of a word", "that are not the second piece of a word"},
           {"later_piece", "that are the third or a later piece of a word", "that are not a later piece of a word"}}};
      return simple("start", names[key.value]);
    }
    case FeatureFamily::kSuffix: {
      const std::string end = shown("-" + text());
      return {"ends:" + end, "words ending in " + end, "ending in " + end, "not ending in " + end, kEndRank};
    }
    case FeatureFamily::kPrefix: {
      const std::string begin = shown(text() + "-");
      return {"begins:" + begin, "words beginning with " + begin, "beginning with " + begin,
              "not beginning with " + begin, kEndRank};
    }
    case FeatureFamily::kLength:
      return simple(fmt::format("length>={}", key.value), fmt::format("of at least {} characters", key.value),
                    fmt::format("of fewer than {} characters", key.value));
    case FeatureFamily::kShort:
      return simple(fmt::format("length<={}", key.value),
                    key.value == 1 ? "of one character" : fmt::format("of at most {} characters", key.value),
                    fmt::format("of more than {} character{}", key.value, key.value == 1 ? "" : "s"));
    case FeatureFamily::kFrequent:
      return simple(fmt::format("frequent:{}", key.value), fmt::format("among the {} most frequent pieces", key.value),
                    fmt::format("not among the {} most frequent pieces", key.value));
    default: break;
  }
  MOESCOPE_ASSERT(false);
  return {};
}

// What a piece or word is, said of something before the token.
Predicate describe_before(const FeatureKey& key, const FeatureRows& rows, const TracedRun& run,
                          const TokenGroups& groups) {
  if (key.family == FeatureFamily::kBigram) {
    const std::string& pair = rows.strings[key.value];
    const std::size_t space = pair.find(' ');
    const std::string both = shown(run.pieces[static_cast<std::size_t>(std::stoul(pair.substr(0, space)))]) + " " +
                             shown(run.pieces[static_cast<std::size_t>(std::stoul(pair.substr(space + 1)))]);
    return simple("before.pair:" + both, "after " + both, "not after " + both);
  }
  const Predicate said = describe_token(key, rows, run, groups);
  const bool word = key.owner == FeatureOwner::kWord1 || key.owner == FeatureOwner::kWord2;
  std::string what = said.things.empty() ? "a token " + said.property : said.things;
  if (key.family == FeatureFamily::kWord) {
    const std::string& text = rows.strings[key.value];
    what = (is_letter(code_point_at(text, 0).value) ? "the word " : "") + words_shown(text);
  }
  if (key.family == FeatureFamily::kStart) what = "a piece " + said.property;
  switch (key.owner) {
    case FeatureOwner::kBefore1: return simple("before." + said.id, "after " + what, "not after " + what);
    case FeatureOwner::kBefore2:
      return simple("before2." + said.id, "two tokens after " + what, "not two tokens after " + what);
    case FeatureOwner::kWord1:
      return simple(
          "word_before." + said.id,
          key.family == FeatureFamily::kWord ? "after " + what : "with " + what + " as the word before",
          key.family == FeatureFamily::kWord ? "not after " + what : "without " + what + " as the word before");
    default: break;
  }
  MOESCOPE_ASSERT(word);
  return simple("word_before2." + said.id, "two words after " + what, "not two words after " + what);
}

Predicate describe_place(const FeatureKey& key, const FeatureRows& rows) {
  const auto text = [&] { return rows.strings[key.value]; };
  const std::uint32_t n = key.value;
  switch (key.family) {
    case FeatureFamily::kWordSoFar: {
      const std::string word = words_shown(text());
      return {"word_so_far:" + word, "the word or beginning " + word, "that complete " + word,
              "that do not complete " + word, kWordRank};
    }
    case FeatureFamily::kInside: return simple("inside", kInsideNames[n]);
    case FeatureFamily::kLine: return simple("line", kLineNames[n]);
    case FeatureFamily::kIndent:
      return simple(fmt::format("indent>={}", n),
                    n == 1 ? "in indented lines" : fmt::format("in lines indented by {} or more", n),
                    n == 1 ? "in lines without indentation" : fmt::format("in lines indented by less than {}", n));
    case FeatureFamily::kLineLength:
      return simple(fmt::format("line_length>={}", n), fmt::format("after the first {} characters of a line", n),
                    fmt::format("within the first {} characters of a line", n));
    case FeatureFamily::kLineFirst: {
      const std::string first = shown(text());
      return simple("line_first:" + first, "in lines that begin with " + first,
                    "in lines that do not begin with " + first);
    }
    case FeatureFamily::kBracketKind: {
      const std::string open = shown(std::string(1, static_cast<char>(n)));
      return simple("bracket:" + open, "directly inside " + open, "not directly inside " + open);
    }
    case FeatureFamily::kDepth:
      return simple(fmt::format("depth>={}", n),
                    n == 1 ? "inside brackets" : fmt::format("inside {} or more brackets", n),
                    n == 1 ? "outside brackets" : fmt::format("inside fewer than {} brackets", n));
    case FeatureFamily::kArgument: {
      const std::string owner = text();
      if (owner == "^") return simple("argument:^", "inside a superscript", "outside superscripts");
      if (owner == "_") return simple("argument:_", "inside a subscript", "outside subscripts");
      return simple("argument:" + owner, "in the argument of " + owner, "not in the argument of " + owner);
    }
    case FeatureFamily::kEnvironment:
      return simple("environment:" + text(), fmt::format("inside the environment '{}'", text()),
                    fmt::format("outside the environment '{}'", text()));
    case FeatureFamily::kTextKind: return simple("kind", kKindNames[n]);
    case FeatureFamily::kLastMark: {
      const std::string mark = shown(to_utf8(static_cast<char32_t>(n)));
      return simple("last_mark:" + mark, "with " + mark + " last before them", "without " + mark + " last before them");
    }
    case FeatureFamily::kSentenceWords:
      return simple(fmt::format("sentence_words<={}", n),
                    n == 0 ? "before the first word of a sentence is finished"
                           : fmt::format("within the first {} words of a sentence", n + 1),
                    n == 0 ? "after the first word of a sentence" : fmt::format("after {} words of a sentence", n + 1));
    case FeatureFamily::kLongSentence:
      return simple(fmt::format("sentence_words>={}", n), fmt::format("{} or more words into a sentence", n),
                    fmt::format("fewer than {} words into a sentence", n));
    default: break;
  }
  MOESCOPE_ASSERT(false);
  return {};
}

Predicate describe_history(const FeatureKey& key) {
  const std::uint32_t n = key.value;
  switch (key.family) {
    case FeatureFamily::kSeen: return simple("seen", kSeenNames[n]);
    case FeatureFamily::kRecent:
      if (n == 1) return simple("recent<=1", "that repeat the token before", "that do not repeat the token before");
      return simple(fmt::format("recent<={}", n), fmt::format("that occurred among the last {} tokens", n),
                    fmt::format("that did not occur among the last {} tokens", n));
    case FeatureFamily::kContextPosition:
      if (n == 1) {
        return simple("context_position<1", "at the first position of the context",
                      "behind the first position of the context");
      }
      return simple(fmt::format("context_position<{}", n), fmt::format("among the first {} tokens of the context", n),
                    fmt::format("behind the first {} tokens of the context", n));
    case FeatureFamily::kDocumentStart:
      if (n == 1) return simple("document_position<1", "that begin a document", "that do not begin a document");
      return simple(fmt::format("document_position<{}", n), fmt::format("among the first {} tokens of a document", n),
                    fmt::format("behind the first {} tokens of a document", n));
    default: break;
  }
  MOESCOPE_ASSERT(false);
  return {};
}

}  // namespace

Predicate describe(const FeatureKey& key, const FeatureRows& rows, const TracedRun& run, const TokenGroups& groups) {
  switch (key.owner) {
    case FeatureOwner::kToken: return describe_token(key, rows, run, groups);
    case FeatureOwner::kBefore1:
    case FeatureOwner::kBefore2:
    case FeatureOwner::kWord1:
    case FeatureOwner::kWord2: return describe_before(key, rows, run, groups);
    case FeatureOwner::kPlace: return describe_place(key, rows);
    case FeatureOwner::kHistory: return describe_history(key);
    case FeatureOwner::kConcept: {
      const std::string& name = rows.concept_names[key.value];
      for (const Said& said : kConceptNames) {
        if (name == said.id) return simple("concept:" + name, said.property, said.negation);
      }
      return simple("concept:" + name, "with the concept '" + name + "'", "without the concept '" + name + "'");
    }
    case FeatureOwner::kDomain: {
      const std::string& name = rows.strings[key.value];
      return simple("domain:" + name, "in " + name, "outside " + name);
    }
  }
  MOESCOPE_ASSERT(false);
  return {};
}

}  // namespace moescope::label
