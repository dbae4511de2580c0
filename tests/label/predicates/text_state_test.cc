#include "moescope/label/predicates/text_state.h"

#include <gtest/gtest.h>

#include "moescope/label/predicates/characters.h"

namespace moescope::label {
namespace {

// The place right before the first '@' of the text ('@' itself is not read).
Place at_mark(const std::string& text, bool begins_line = true) {
  TextState state(begins_line);
  for (std::size_t at = 0; at < text.size() && text[at] != '@';) {
    const CodePoint c = code_point_at(text, at);
    state.advance(c.value);
    at += static_cast<std::size_t>(c.n_bytes);
  }
  return state.place();
}

TEST(TextState, KnowsMathByItsBeginning) {
  EXPECT_TRUE(at_mark("let $x @").in_math);
  EXPECT_FALSE(at_mark("let $x$ @").in_math);
  EXPECT_FALSE(at_mark("let @$x$").in_math);
  EXPECT_TRUE(at_mark("so $$a + @").in_display_math);
  EXPECT_FALSE(at_mark("so $$a$$ @").in_math);
  EXPECT_TRUE(at_mark("so \\(a @").in_math);
  EXPECT_TRUE(at_mark("so \\[a @").in_display_math);
  EXPECT_FALSE(at_mark("so \\[a\\] @").in_math);
  EXPECT_TRUE(at_mark("\\begin{align*}a @").in_math);
  EXPECT_FALSE(at_mark("\\begin{align*}a\\end{align*} @").in_math);
  EXPECT_FALSE(at_mark("it costs $5 and @").in_math);
  EXPECT_FALSE(at_mark("a $x\n\nnew @").in_math) << "a paragraph ends it";
  EXPECT_FALSE(at_mark("cost \\$5 a @").in_math);
}

TEST(TextState, KnowsCommentsAndStringsOfCode) {
  const std::string code = "def f(a):\n    return g()\n";
  EXPECT_EQ(at_mark(code + "@").kind, TextKind::kCode);
  EXPECT_TRUE(at_mark(code + "x = 1 # why @").in_comment);
  EXPECT_FALSE(at_mark(code + "x = 1 # why\n@").in_comment);
  EXPECT_TRUE(at_mark(code + "x = 'a @").in_string);
  EXPECT_FALSE(at_mark(code + "x = 'a' @").in_string);
  EXPECT_FALSE(at_mark(code + "x = 'a\\' @").in_quotes);
  EXPECT_TRUE(at_mark(code + "x = 'a\\' @").in_string);
  EXPECT_TRUE(at_mark(code + "\"\"\"one\ntwo @").in_string);
  EXPECT_FALSE(at_mark(code + "\"\"\"one\ntwo\"\"\" @").in_string);
  EXPECT_FALSE(at_mark(code + "x = 'open\n@").in_string) << "given up at the line's end";
  EXPECT_TRUE(at_mark("int f() {\n  g();\n  /* a\n b @").in_comment);
  EXPECT_FALSE(at_mark("int f() {\n  g();\n  /* a */ @").in_comment);
  EXPECT_FALSE(at_mark("#include <a>\nint @").in_comment);
}

TEST(TextState, KnowsQuotesOfProseAndLeavesApostrophesAlone) {
  EXPECT_TRUE(at_mark("He said \"come @").in_quotes);
  EXPECT_FALSE(at_mark("He said \"come\" and @").in_quotes);
  EXPECT_TRUE(at_mark("He said \xE2\x80\x9C"
                      "come @")
                  .in_quotes);
  EXPECT_FALSE(at_mark("don't @").in_quotes);
  EXPECT_FALSE(at_mark("don't @").in_string);
}

TEST(TextState, KnowsBracketsArgumentsAndEnvironments) {
  EXPECT_EQ(at_mark("a (b [c @").depth, 2);
  EXPECT_EQ(at_mark("a (b [c @").bracket, '[');
  EXPECT_EQ(at_mark("a (b [c] @").bracket, '(');
  EXPECT_EQ(at_mark("a) b] @").depth, 0) << "closers of nothing";
  EXPECT_TRUE(at_mark("f(x, @").in_call);
  EXPECT_FALSE(at_mark("f (x, @").in_call);
  EXPECT_EQ(at_mark("\\emph{some @").argument, "\\emph");
  EXPECT_EQ(at_mark("$\\frac{a}{b @").argument, "\\frac");
  EXPECT_EQ(at_mark("$x^{2 @").argument, "^");
  EXPECT_EQ(at_mark("$x_{2 @").argument, "_");
  EXPECT_EQ(at_mark("\\emph{some} @").argument, "");
  EXPECT_EQ(at_mark("\\begin{proof} Now @").environment, "proof");
  EXPECT_EQ(at_mark("\\begin{proof}\\begin{enumerate}\\end{enumerate} @").environment, "proof");
  EXPECT_EQ(at_mark("\\begin{proof}\\end{proof} @").environment, "");
}

TEST(TextState, KnowsLinesSentencesAndWords) {
  EXPECT_TRUE(at_mark("a\n    @").line_blank);
  EXPECT_EQ(at_mark("a\n    @").indent, 4);
  EXPECT_EQ(at_mark("a\n\tb @").indent, 8);
  EXPECT_EQ(at_mark("a\n  while x @").line_first, "while");
  EXPECT_TRUE(at_mark("a\n\n@").after_blank_line);
  EXPECT_FALSE(at_mark("a\n@").after_blank_line);
  EXPECT_TRUE(at_mark("Come. @").sentence_start);
  EXPECT_FALSE(at_mark("Come. Now @").sentence_start);
  EXPECT_EQ(at_mark("The green tree @").word1, "tree");
  EXPECT_EQ(at_mark("The green tree @").word2, "green");
  EXPECT_EQ(at_mark("The green tr@").word, "tr");
  EXPECT_TRUE(at_mark("in 12@").in_number);
  EXPECT_FALSE(at_mark("in 12 @").in_number);
  EXPECT_TRUE(at_mark("see http://a.b/c@").in_url);
  EXPECT_FALSE(at_mark("see http://a.b/c @").in_url);
}

TEST(TextState, DoesNotKnowTheLineWhereAContextBeginsInsideOne) {
  EXPECT_FALSE(at_mark("rest of line @", false).line_known);
  EXPECT_TRUE(at_mark("rest of line\n@", false).line_known);
}

TEST(TextState, SurvivesAnyBytes) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    TextState state(seed % 2 == 0);
    std::uint64_t x = seed * 977 + 1;
    const std::string alphabet = "\\{}[]()$%#'\"`*/ \n\taB_^<>!.,;:=-1\xFF";
    for (int i = 0; i < 2000; ++i) {
      x = x * 6364136223846793005ull + 1442695040888963407ull;
      state.advance(static_cast<unsigned char>(alphabet[(x >> 33) % alphabet.size()]));
      ASSERT_LE(state.place().depth, 64);
      ASSERT_LE(state.place().word.size(), 30u);
    }
  }
}

TEST(Characters, AreShownReadably) {
  EXPECT_EQ(shown(" the"), "'␣the'");
  EXPECT_EQ(shown("\n"), "'\\n'");
  EXPECT_EQ(shown("\t"), "'\\t'");
  EXPECT_EQ(shown("\n        "), "'\\n␣×8'");
  EXPECT_EQ(shown("\xC3"), "'\\uFFFD'");
  EXPECT_EQ(shown("\x01"), "'\\x01'");
  EXPECT_EQ(shown("a b"), "'a b'");
  EXPECT_EQ(shown("'"), "\"'\"");
  EXPECT_EQ(shown("\""), "'\"'");
}

TEST(Characters, AreDecodedStrictly) {
  EXPECT_EQ(code_point_at("\xC3\xA9", 0).value, 0xE9u);
  EXPECT_EQ(code_point_at("\xC0\x80", 0).value, 0xFFFDu) << "overlong";
  EXPECT_EQ(code_point_at("\xED\xA0\x80", 0).value, 0xFFFDu) << "surrogate";
  EXPECT_EQ(code_point_at("\xE2\x82", 0).value, 0xFFFDu) << "cut off";
  EXPECT_EQ(code_point_at("\xF5\x80\x80\x80", 0).n_bytes, 1);
  EXPECT_EQ(to_lower("\xC3\x89T\xC3\x89 \xD0\x96"), "\xC3\xA9t\xC3\xA9 \xD0\xB6");
}

}  // namespace
}  // namespace moescope::label
