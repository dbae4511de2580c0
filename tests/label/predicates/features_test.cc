#include "moescope/label/predicates/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "moescope/label/predicates/piece_classes.h"
#include "tests/label/label_fixture.h"

namespace moescope::label {
namespace {

using ::testing::Contains;
using ::testing::IsSupersetOf;
using ::testing::Not;

std::vector<Routed> nobody(const TracedRun&, std::size_t) { return {{0, 1.0f}}; }

struct Extracted {
  TracedRun run;
  TokenGroups groups;
  FeatureRows rows;

  std::set<std::string> ids(std::size_t t) const {
    std::set<std::string> found;
    for (std::size_t i = rows.row_begin[t]; i < rows.row_begin[t + 1]; ++i) {
      found.insert(describe(rows.features[rows.row_items[i]], rows, run, groups).id);
    }
    return found;
  }
};

Extracted extract(const std::vector<MadeDocument>& documents, std::size_t context = 1000) {
  Extracted extracted;
  extracted.run = make_run(documents, 1, 1, {nobody}, context);
  extracted.rows = extract_features(extracted.run, std::vector<bool>(extracted.run.tokens.size(), true),
                                    extracted.groups, ConceptMarks());
  return extracted;
}

TEST(Features, SayWhatATokenIsAndWhatStandsBeforeIt) {
  const Extracted e = extract({{"The cat_7 sat.\nIn (the", "prose"}});
  // The| cat|_|7| sat|.|\n|In| (|the
  EXPECT_THAT(e.ids(3),
              IsSupersetOf({"piece:'7'", "class:number", "before.piece:'_'", "before2.piece:'␣cat'",
                            "word_before.word:'cat'", "word_before2.word:'the'", "length<=1", "domain:prose"}));
  EXPECT_THAT(e.ids(0), IsSupersetOf({"class:capitalised", "function:determiner", "line:start", "context_position<1",
                                      "document_position<1"}));
  EXPECT_THAT(e.ids(1), IsSupersetOf({"before.function:determiner", "start:starts", "ends:'-at'", "begins:'ca-'",
                                      "word_so_far:'cat'"}));
  EXPECT_THAT(e.ids(7), IsSupersetOf({"line:start", "line:sentence_start", "function:preposition"}));
  EXPECT_THAT(e.ids(9), IsSupersetOf({"bracket:'('", "depth>=1", "seen:word", "word:'the'", "line_first:'In'"}));
  EXPECT_THAT(e.ids(9), Not(Contains("seen:token"))) << "'The' is another token than 'the'";
}

TEST(Features, TellCopyingAndRepetition) {
  const Extracted e = extract({{" a b c a b d a b", ""}});  // a| b| c| a| b| d| a| b
  EXPECT_THAT(e.ids(1), Not(Contains("seen:previous_seen")));
  EXPECT_THAT(e.ids(4), IsSupersetOf({"seen:token", "seen:previous_seen", "seen:copy", "seen:pair", "recent<=8"}));
  EXPECT_THAT(e.ids(5), Contains("seen:previous_seen"));
  EXPECT_THAT(e.ids(5), Not(Contains("seen:copy"))) << "after ' b' came ' c'";
  EXPECT_THAT(e.ids(7), IsSupersetOf({"seen:copy", "seen:pair"}));
  EXPECT_THAT(e.ids(7), Not(Contains("seen:triple")));
  const Extracted twice = extract({{" x x", ""}});
  EXPECT_THAT(twice.ids(1), IsSupersetOf({"recent<=1", "seen:token"}));
}

TEST(Features, DoNotLookBehindTheBeginningOfTheContext) {
  const Extracted e = extract({{"one two (three one two", ""}}, 4);  // one| two| (|three ; one| two
  EXPECT_THAT(e.ids(4), Contains("context_position<1"));
  for (const std::string& id : e.ids(4)) {
    EXPECT_FALSE(id.starts_with("before.") || id.starts_with("word_before") || id.starts_with("seen:")) << id;
    EXPECT_FALSE(id.starts_with("depth") || id.starts_with("bracket") || id.starts_with("line:start")) << id;
  }
  EXPECT_THAT(e.ids(5), Not(Contains("seen:token")));
}

// The causal promise: cutting the text behind a token changes nothing about it.
TEST(Features, NeverDependOnLaterText) {
  const std::vector<MadeDocument> documents = {
      {"\\section{A} Let $x_1$ be. \"Why\" (see http://a.b/c)\n\ndef f(a):\n    # note\n    return 'a b' + g(1)\n",
       ""}};
  const Extracted whole = extract(documents);
  for (std::size_t n = 1; n < whole.run.tokens.size(); ++n) {
    const auto end = static_cast<std::size_t>(whole.run.tokens.byte_end[n - 1]);
    const Extracted cut = extract({{documents[0].text.substr(0, end), ""}});
    ASSERT_EQ(cut.run.tokens.size(), n);
    std::set<std::string> a = whole.ids(n - 1), b = cut.ids(n - 1);
    // How frequent a piece is, is a fact about the vocabulary, not about the token's context.
    const auto is_rank = [](const std::string& id) { return id.find("frequent") != std::string::npos; };
    std::erase_if(a, is_rank);
    std::erase_if(b, is_rank);
    EXPECT_EQ(a, b) << "token " << n - 1;
  }
}

TEST(Features, RareAndEqualColumnsAreCountedAndLeftOut) {
  const Extracted e = extract(made_documents(20, 60, 5));
  std::vector<std::uint32_t> order(e.run.tokens.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  PredicateCounts counts;
  PredicateOptions options;
  options.min_support = 30;
  const PredicateTable table = make_predicates(e.rows, order, order.size(), e.run, e.groups, options, &counts);
  EXPECT_EQ(counts.n_features,
            counts.n_rare + counts.n_equal + counts.n_over + static_cast<std::int64_t>(table.n_predicates()));
  EXPECT_GT(counts.n_rare, 0);
  EXPECT_GT(counts.n_equal, 0);
  std::set<std::string> ids;
  for (std::size_t p = 0; p < table.n_predicates(); ++p) {
    EXPECT_TRUE(ids.insert(table.predicate(p).id).second) << table.predicate(p).id;
    const std::int64_t support = table.column(p).count();
    EXPECT_GE(support, 30);
    EXPECT_LE(support, static_cast<std::int64_t>(order.size()) - 30);
  }
  options.max_predicates = 50;
  PredicateCounts few;
  EXPECT_LE(make_predicates(e.rows, order, order.size(), e.run, e.groups, options, &few).n_predicates(), 50u);
  EXPECT_GT(few.n_over, 0);
}

TEST(PieceClasses, TellSpellings) {
  const std::vector<std::pair<std::string, PieceClass>> cases = {{" the", PieceClass::kLowerWord},
                                                                 {"The", PieceClass::kCapitalised},
                                                                 {"NASA", PieceClass::kAllCapitals},
                                                                 {"iPhone", PieceClass::kMixedCase},
                                                                 {" a", PieceClass::kSingleLetter},
                                                                 {"12", PieceClass::kNumber},
                                                                 {" (", PieceClass::kOpeningBracket},
                                                                 {"))", PieceClass::kClosingBracket},
                                                                 {"\"", PieceClass::kQuote},
                                                                 {",", PieceClass::kPause},
                                                                 {".", PieceClass::kSentenceEnd},
                                                                 {" ==", PieceClass::kOperator},
                                                                 {").", PieceClass::kManySigns},
                                                                 {"$", PieceClass::kSymbol},
                                                                 {" ", PieceClass::kSpaces},
                                                                 {"\n", PieceClass::kNewline},
                                                                 {"\n    ", PieceClass::kIndentation},
                                                                 {"a1", PieceClass::kLettersAndDigits},
                                                                 {"\xEF\xBF\xBD", PieceClass::kPartial},
                                                                 {"\xE2", PieceClass::kPartial},
                                                                 {"", PieceClass::kEmpty},
                                                                 {"'s", PieceClass::kWordAndSigns},
                                                                 {"\xD0\xB6\xD0\xB7", PieceClass::kNonLatin}};
  for (const auto& [piece, expected] : cases) EXPECT_EQ(fine_class_of(piece), expected) << piece;
}

TEST(TokenGroups, PutPiecesOfTheSameUseTogether) {
  // Two kinds of words in two kinds of places: "the NOUN" and "to VERB".
  Random random(9);
  std::vector<std::int32_t> tokens;
  const std::int32_t the = 0, to = 1, n_words = 8;
  for (int i = 0; i < 6000; ++i) {
    const bool noun = random.below(2) == 0;
    tokens.push_back(noun ? the : to);
    tokens.push_back((noun ? 2 : 2 + n_words) + static_cast<std::int32_t>(random.below(n_words)));
  }
  TokenGroupOptions options;
  options.n_groups = {4};
  std::vector<bool> all(tokens.size(), true);
  const TokenGroups groups = group_tokens(tokens, all, all, 2 + 2 * n_words, options);
  const auto& of_piece = groups.of_piece[0];
  std::set<std::int32_t> nouns, verbs;
  for (std::int32_t i = 0; i < n_words; ++i) {
    nouns.insert(of_piece[static_cast<std::size_t>(2 + i)]);
    verbs.insert(of_piece[static_cast<std::size_t>(2 + n_words + i)]);
  }
  for (std::int32_t group : nouns) EXPECT_FALSE(verbs.contains(group));
  EXPECT_EQ(group_tokens(tokens, all, all, 18, options).of_piece, groups.of_piece) << "the same every time";
}

}  // namespace
}  // namespace moescope::label
