#include "moescope/text/concepts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "moescope/base/error.h"

namespace moescope::text {
namespace {

using ::testing::HasSubstr;

std::size_t index_of(const ConceptLibrary& library, const std::string& name) {
  for (std::size_t i = 0; i < library.size(); ++i) {
    if (library.at(i).name == name) return i;
  }
  ADD_FAILURE() << "no concept " << name;
  return 0;
}

// The marked pieces of the text, joined by '|'.
std::string marked(const ConceptLibrary& library, const std::string& name, const std::string& text) {
  std::string joined;
  for (const Offset& range : library.marks(index_of(library, name), text)) {
    if (!joined.empty()) joined += '|';
    joined += text.substr(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.end - range.begin));
  }
  return joined;
}

struct Case {
  const char* name;
  const char* text;
  const char* marked;  // "" : nothing
};

const Case kCases[] = {
    {"is_superscript", "$x^2 + e^{-i\\pi}$ and a^\\top", "2|{-i\\pi}|\\top"},
    {"is_superscript", "a caret alone ^ here, \\^o", ""},
    {"is_subscript", "$a_1 + \\alpha_i + x_{n_{k}}$", "1|i|{n_{k}}"},
    {"is_subscript", "snake_case_name and __init__ and a\\_b", ""},
    {"is_inline_math", "let $x+1$ be \\(y\\) now", "$x+1$|\\(y\\)"},
    {"is_inline_math", "it costs $5 and $6, or $$x$$", ""},
    {"is_display_math", "so $$a=b$$ and \\[c\\] and \\begin{align*}d\\end{align*}",
     "$$a=b$$|\\[c\\]|\\begin{align*}d\\end{align*}"},
    {"is_display_math", "only $x$ here", ""},
    {"is_math", "a $x$ b \\[y\\] c", "$x$|\\[y\\]"},
    {"is_math", "no math, $3.50 and $4.50 paid", ""},
    {"is_denominator", "\\frac{a}{b+{c}} \\dfrac{1}{2}", "b+{c}|2"},
    {"is_denominator", "\\sqrt{a}{b}", ""},
    {"is_numerator", "\\frac{a}{b} \\tfrac{1{2}}{3}", "a|1{2}"},
    {"is_numerator", "\\fra{a}{b}", ""},
    {"is_frac", "x=\\frac{a}{b}.", "\\frac{a}{b}"},
    {"is_frac", "\\frac12 a/b", ""},
    {"is_author", "\\author{A. Person}\n\\title{T}", "A. Person"},
    {"is_author", "author:\n- 'B. Other'\ntitle: x", "- 'B. Other'\n"},
    {"is_author", "the author of this", ""},
    {"is_title", "\\title[short]{On {X}}", "On {X}"},
    {"is_title", "title: A study\nabstract: |", "A study"},
    {"is_title", "its title: no", ""},
    {"is_reference", "as in [@smith2010; @b] and \\citep[p. 3]{x} and \\ref{fig:1}",
     "[@smith2010; @b]|\\citep[p. 3]{x}|\\ref{fig:1}"},
    {"is_reference", "mail me@home [note]", ""},
    {"is_abstract", "\\begin{abstract}We show.\\end{abstract}", "We show."},
    {"is_abstract", "abstract: |\n  We show\n  it.\nauthor: x", "  We show\n  it.\n"},
    {"is_abstract", "an abstract thing", ""},
    {"is_function_def", "    def f(a, b=(1, 2)) -> int:\n        pass", "def f(a, b=(1, 2)) -> int"},
    {"is_function_def", "int main(void) {", "int main(void)"},
    {"is_function_def", "x = f(a)\nundefined def", ""},
    {"is_function_call", "y = foo(1) + a.b(2)", "foo|a.b"},
    {"is_function_call", "def foo(x):\n  if (x): return (x)", ""},
    {"is_assignment", "  x = 1\na.b[0] += 2\nn: int = 3", "x =|a.b[0] +=|n: int ="},
    {"is_assignment", "if x == 1:\n    f(y=2)", ""},
    {"is_class_def", "class A(B):\n  pass", "class A(B)"},
    {"is_class_def", "the class of this", ""},
    {"is_import", "import os, sys\nfrom a.b import c\n#include <stdio.h>",
     "import os, sys|from a.b import c|#include <stdio.h>"},
    {"is_import", "they import goods\nfrom here to there", ""},
    {"is_comment", "x = 1  # one\n// two\ny /* three */", "# one|// two|/* three */"},
    {"is_comment", "#include <a>\nhttp://x.org a#b", ""},
    {"is_string_literal", "f('a\\'b', \"c\", '''d\n'e''')", "'a\\'b'|\"c\"|'''d\n'e'''"},
    {"is_string_literal", "it's John's", ""},
    {"is_control_flow", "if x:\n    return y\nelse:\n    break", "if|return|else|break"},
    {"is_control_flow", "what if it rains", ""},
    {"is_loop", "for i in range(3):\n    pass\nwhile x < 2:", "for i in range(3)|while x < 2"},
    {"is_loop", "for you and me, in time", ""},
    {"is_conditional", "if a > b:\n  x\nelif c:\n  y\nelse:\n  z", "if a > b|elif c|else"},
    {"is_conditional", "as if it were", ""},
    {"is_exception_handling", "try:\n  x\nexcept ValueError as e:\n  raise KeyError(1)",
     "try|except ValueError as e|raise KeyError(1)"},
    {"is_exception_handling", "try it, all except one", ""},
    {"is_array_literal", "x = [1, [2, 3]]", "[1, [2, 3]]"},
    {"is_array_literal", "x[1] and f(x)[0]", ""},
    {"is_method_call", "a.strip() and p->next(1)", "strip|next"},
    {"is_method_call", "strip() and a.b", ""},
    {"is_lambda", "f = lambda x, y: x + y\n(a, b) => a", "lambda x, y:|(a, b) =>"},
    {"is_lambda", "the lambda calculus", ""},
    {"is_operator", "a == b + 1", "==|+"},
    {"is_operator", "well-known words. And so", "-"},
    {"is_constant", "x = MAX_SIZE + 1\nDEBUG = 0", "MAX_SIZE|DEBUG"},
    {"is_constant", "a NASA plan, Max_size", ""},
    {"is_boolean", "x = True or false", "True|false"},
    {"is_boolean", "truely Falsehood", ""},
    {"is_null", "return None; p = nullptr", "None|nullptr"},
    {"is_null", "nonetheless Nones", ""},
    {"is_decorator", "@app.route('/')\ndef f(): pass", "@app.route('/')"},
    {"is_decorator", "a @ b and me@home", ""},
    {"is_async", "async def f():\n  await g()", "async|await"},
    {"is_async", "they await the async call", "await"},
    {"leading_capital", "The iPhone of Anna", "T|A"},
    {"leading_capital", "no capitals, aB", ""},
    {"leading_loweralpha", "The cat", "c"},
    {"leading_loweralpha", "A B C1", ""},
    {"all_digits", "in 1999 there were 3 and a4", "1999|3"},
    {"all_digits", "a1 b2", ""},
    {"is_not_ascii", "caf\xC3\xA9 \xE2\x82\xAC", "\xC3\xA9|\xE2\x82\xAC"},
    {"is_not_ascii", "cafe", ""},
    {"contains_all_whitespace", "a b  c\n\nd", "  |\n\n"},
    {"contains_all_whitespace", "a b c", ""},
    {"all_capitals", "the NASA and I, AbC", "NASA"},
    {"all_capitals", "The Cat", ""},
    {"is_not_alphanumeric", "a, b.", ",|."},
    {"is_not_alphanumeric", "ab 12", ""},
    {"contains_whitespace", "a b\tc", " |\t"},
    {"contains_whitespace", "abc", ""},
    {"contains_capital", "aBc", "B"},
    {"contains_capital", "abc", ""},
    {"contains_digit", "a1b", "1"},
    {"contains_digit", "one", ""},
};

TEST(Concepts, MarkKnownTextsAndNothingElse) {
  const ConceptLibrary library = ConceptLibrary::built_in();
  std::map<std::string, int> n_marking, n_silent;
  for (const Case& one : kCases) {
    EXPECT_EQ(marked(library, one.name, one.text), one.marked) << one.name << " on: " << one.text;
    ++(*one.marked != '\0' ? n_marking : n_silent)[one.name];
  }
  for (std::size_t i = 0; i < library.size(); ++i) {
    const std::string& name = library.at(i).name;
    if (!library.at(i).tags.empty()) continue;  // tested below
    EXPECT_GT(n_marking[name], 0) << name << " has no positive text";
    if (name != "is_operator" && name != "is_async") {
      EXPECT_GT(n_silent[name], 0) << name << " has no negative text";
    }
  }
}

TEST(Concepts, AreThe58PublishedNamesOfFourCategories) {
  const ConceptLibrary library = ConceptLibrary::built_in();
  std::map<std::string, int> n;
  for (std::size_t i = 0; i < library.size(); ++i) ++n[library.at(i).category];
  EXPECT_EQ(n, (std::map<std::string, int>{{"latex", 12}, {"code", 20}, {"text", 10}, {"pos", 16}}));
}

// The names of the published tables; a copy of the list, for the tables are gzipped CSV.
TEST(Concepts, LineUpWithThePublishedTables) {
  const std::set<std::string> published = {"all_capitals",
                                           "all_digits",
                                           "contains_all_whitespace",
                                           "contains_capital",
                                           "contains_digit",
                                           "contains_whitespace",
                                           "is_abstract",
                                           "is_array_literal",
                                           "is_assignment",
                                           "is_async",
                                           "is_author",
                                           "is_boolean",
                                           "is_class_def",
                                           "is_comment",
                                           "is_conditional",
                                           "is_constant",
                                           "is_control_flow",
                                           "is_decorator",
                                           "is_denominator",
                                           "is_display_math",
                                           "is_exception_handling",
                                           "is_frac",
                                           "is_function_call",
                                           "is_function_def",
                                           "is_import",
                                           "is_inline_math",
                                           "is_lambda",
                                           "is_loop",
                                           "is_math",
                                           "is_method_call",
                                           "is_not_alphanumeric",
                                           "is_not_ascii",
                                           "is_null",
                                           "is_numerator",
                                           "is_operator",
                                           "is_reference",
                                           "is_string_literal",
                                           "is_subscript",
                                           "is_superscript",
                                           "is_title",
                                           "leading_capital",
                                           "leading_loweralpha",
                                           "adjective",
                                           "adposition",
                                           "adverb",
                                           "auxiliary",
                                           "coordinating_conjunction",
                                           "determiner",
                                           "noun",
                                           "numeral",
                                           "other",
                                           "particle",
                                           "pronoun",
                                           "proper_noun",
                                           "punctuation",
                                           "subordinating_conjunction",
                                           "symbol",
                                           "verb"};
  const ConceptLibrary library = ConceptLibrary::built_in();
  std::set<std::string> names;
  for (std::size_t i = 0; i < library.size(); ++i) names.insert(library.at(i).name);
  EXPECT_EQ(names, published);
}

std::string tag_marked(const ConceptLibrary& library, const std::string& name, const io::TaggedSentence& sentence) {
  std::string joined;
  for (const Offset& range : library.tag_marks(index_of(library, name), sentence.words)) {
    if (!joined.empty()) joined += '|';
    joined +=
        sentence.text.substr(static_cast<std::size_t>(range.begin), static_cast<std::size_t>(range.end - range.begin));
  }
  return joined;
}

TEST(Concepts, PartsOfSpeechMarkTheWordsThatCarryTheirTag) {
  const std::vector<std::pair<std::string, std::string>> tags = {
      {"adjective", "ADJ"},     {"adposition", "ADP"},
      {"adverb", "ADV"},        {"auxiliary", "AUX"},
      {"determiner", "DET"},    {"coordinating_conjunction", "CCONJ"},
      {"noun", "NOUN"},         {"numeral", "NUM"},
      {"particle", "PART"},     {"pronoun", "PRON"},
      {"proper_noun", "PROPN"}, {"punctuation", "PUNCT"},
      {"symbol", "SYM"},        {"subordinating_conjunction", "SCONJ"},
      {"verb", "VERB"},         {"other", "X"},
  };
  const ConceptLibrary library = ConceptLibrary::built_in();
  io::TaggedSentence sentence;
  for (const auto& [name, tag] : tags) {  // a text of the tags themselves
    const auto begin = static_cast<std::int64_t>(sentence.text.size());
    sentence.text += tag + " ";
    sentence.words.push_back({begin, begin + static_cast<std::int64_t>(tag.size()), tag});
  }
  for (const auto& [name, tag] : tags) {
    EXPECT_EQ(tag_marked(library, name, sentence), tag);
    EXPECT_EQ(marked(library, name, sentence.text), "") << "tags are not guessed";
  }
  EXPECT_EQ(tag_marked(library, "is_constant", sentence), "") << "expressions do not look at tags";
}

TEST(Concepts, WordsOfOneTokenMarkItForEachOfTheirTags) {
  const ConceptLibrary library = ConceptLibrary::built_in();
  const io::TaggedSentence sentence{"", "", "", "don't go", {{0, 5, "AUX"}, {0, 5, "PART"}, {6, 8, "VERB"}}};
  EXPECT_EQ(tag_marked(library, "auxiliary", sentence), "don't");
  EXPECT_EQ(tag_marked(library, "particle", sentence), "don't");
  EXPECT_EQ(tag_marked(library, "verb", sentence), "go");
  EXPECT_EQ(tag_marked(library, "noun", sentence), "");
}

// The slow way: cut the text off behind every token and mark it anew.
std::vector<bool> visible_naively(const ConceptLibrary& library, std::size_t c, const std::string& text,
                                  const std::vector<Offset>& tokens) {
  std::vector<bool> shows;
  for (const Offset& token : tokens) {
    bool any = false;
    for (const Offset& range :
         library.marks(c, std::string_view(text).substr(0, static_cast<std::size_t>(token.end)))) {
      any = any || (range.begin < token.end && range.end > token.begin);
    }
    shows.push_back(any);
  }
  return shows;
}

TEST(Concepts, VisibleEqualsMarkingEveryPrefix) {
  const ConceptLibrary library = ConceptLibrary::built_in();
  const std::string text =
      "import os\n# A note on f(x)\ndef run(a, b=[1, 2]):\n    \"\"\"Text of it.\"\"\"\n    if a == None:\n"
      "        return os.path.join('x', \"y\")  # why\n\nLet $x_1^{2}$ be \\frac{a}{b} of \\[ y \\] in 1999, "
      "caf\xC3\xA9 NASA.\n";
  for (std::size_t length : {1u, 3u, 5u}) {
    std::vector<Offset> tokens;
    for (std::size_t at = 0; at < text.size(); at += length) {
      tokens.push_back({static_cast<std::int64_t>(at), static_cast<std::int64_t>(std::min(at + length, text.size()))});
    }
    for (std::size_t c = 0; c < library.size(); ++c) {
      EXPECT_EQ(library.visible(c, text, tokens, true), visible_naively(library, c, text, tokens))
          << library.at(c).name << ", tokens of " << length;
    }
  }
}

TEST(Concepts, LaterTextDoesNotChangeWhatIsVisible) {
  const ConceptLibrary library = ConceptLibrary::built_in();
  const std::size_t math = index_of(library, "is_inline_math");
  const std::vector<Offset> tokens = {{0, 2}, {2, 3}, {3, 4}, {4, 5}};  // "a ", "$", "x", "$"
  EXPECT_EQ(library.visible(math, "a $x$", tokens, true), (std::vector<bool>{false, false, false, true}));
  EXPECT_EQ(marked(library, "is_inline_math", "a $x$"), "$x$");
}

TEST(Concepts, BrokenTextIsNoError) {
  const ConceptLibrary library = ConceptLibrary::built_in();
  const std::string text = "ab\xFF\xFE 12 \xC3";
  EXPECT_EQ(marked(library, "all_digits", text), "12");
  for (std::size_t c = 0; c < library.size(); ++c) {
    library.marks(c, text);
    library.visible(c, text, std::vector<Offset>{{0, 3}, {3, static_cast<std::int64_t>(text.size())}}, false);
  }
}

TEST(Concepts, UsersFileIsRead) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "moescope_concepts_test.json";
  std::ofstream(path)
      << R"({"concepts": [{"name": "year", "category": "mine", "expressions": ["\\b(?<mark>19|20)\\d\\d\\b"]}]})";
  const ConceptLibrary library = ConceptLibrary::load(path);
  EXPECT_EQ(library.size(), 1u);
  EXPECT_EQ(marked(library, "year", "in 1984 or 2001, not 1234"), "19|20");
  std::filesystem::remove(path);
}

void expect_error(const std::string& json, const std::string& part) {
  try {
    ConceptLibrary::from_json(json, "my.json");
    FAIL() << "no error for " << json;
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("my.json"));
    EXPECT_THAT(error.what(), HasSubstr(part));
  }
}

TEST(Concepts, BadFilesAreRefusedWithTheConceptAndTheReason) {
  expect_error("{", "not JSON");
  expect_error("[]", "'concepts'");
  expect_error(R"({"concepts": [{"category": "x", "expressions": ["a"]}]})", "'name'");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "expressions": []}]})", "'x'");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "expressions": ["(a"]}]})", "character");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "expressions": [1]}]})", "not text");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "expressions": ["a"]},
                                {"name": "x", "category": "y", "expressions": ["b"]}]})",
               "twice");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "tags": []}]})", "'tags'");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "tags": ["A", 1]}]})", "not text");
  expect_error(R"({"concepts": [{"name": "x", "category": "y", "tags": ["A"], "expressions": ["a"]}]})", "both");
  expect_error(R"({"concepts": [{"name": "bad", "category": "y", "expressions": ["ok", "ab[c"]}]})",
               "concept 'bad': expression 'ab[c': missing terminating ] for character class at character 4");
}

TEST(Concepts, RunawayExpressionIsAnErrorThatNamesTheConcept) {
  const ConceptLibrary library = ConceptLibrary::from_json(
      R"({"concepts": [{"name": "slow", "category": "x", "expressions": ["^(?:a|aa)+[cd][cd]"]}]})", "x");
  EXPECT_THROW(library.marks(0, std::string(4000, 'a') + "c"), Error);
}

}  // namespace
}  // namespace moescope::text
