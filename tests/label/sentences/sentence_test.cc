#include "moescope/label/sentences/sentence.h"

#include <gtest/gtest.h>

#include "moescope/label/sentences/promoted.h"

namespace moescope::label {
namespace {

PredicateTable table() {
  std::vector<Predicate> predicates = {
      {"class:number", "numbers", "that are numbers", "that are not numbers", 6},
      {"before.piece:'_'", "", "after '_'", "not after '_'", 0},
      {"inside:math", "", "inside math", "outside math", 0},
      {"class:closing_bracket", "closing brackets", "that close a bracket", "other than closing brackets", 6},
      {"piece:'}'", "'}'", "that are '}'", "other than '}'", 9},
  };
  return PredicateTable(1, predicates, std::vector<std::vector<std::uint32_t>>(5));
}

TEST(Sentence, SaysTermsWithNounAndProperties) {
  const PredicateTable t = table();
  EXPECT_EQ(say_term({{0, false}, {1, false}}, t), "numbers after '_'");
  EXPECT_EQ(say_term({{1, false}, {2, true}}, t), "tokens after '_' and outside math");
  EXPECT_EQ(say_term({{2, false}, {3, false}, {4, true}}, t), "closing brackets inside math and other than '}'");
  EXPECT_EQ(say_term({{3, false}, {4, false}}, t), "'}' that close a bracket");
  EXPECT_EQ(say_term({{0, true}}, t), "tokens that are not numbers");
  EXPECT_EQ(say_rule({{{{3, false}, {2, false}}, {{0, false}, {1, false}}}}, t),
            "closing brackets inside math; or numbers after '_'");
}

TEST(Sentence, ClaimsNoMoreThanTheNumbers) {
  EXPECT_EQ(sentence("numbers", 0.95, 0.95, ""), "Nearly always numbers (nearly all of such tokens)");
  EXPECT_EQ(sentence("numbers", 0.899, 0.899, ""), "Mostly numbers (most of such tokens)");
  EXPECT_EQ(sentence("numbers", 0.5, 0.5, "promotes '$'"),
            "About half of the time numbers (about half of such tokens); promotes '$'");
  EXPECT_EQ(sentence("numbers", 0.39, 0.39, ""), "Often numbers (some of such tokens)");
  EXPECT_EQ(sentence("numbers", 0.1, 0.1, ""), "Sometimes numbers (few of such tokens)");
  EXPECT_EQ(sentence("numbers", 0.0, 0.0, ""), "Now and then numbers (few of such tokens)");
}

TEST(Sentence, ShortLabelsCutAtWordsAndCountCharacters) {
  EXPECT_EQ(shortened("numbers after '_'", 60), "numbers after '_'");
  EXPECT_EQ(shortened("numbers after '_', inside math", 20), "numbers after '_'…");
  EXPECT_EQ(shortened("äöü äöü äöü", 8), "äöü äöü…");
  EXPECT_EQ(shortened("unbroken", 4), "unb…");
}

TracedRun run_with_promoted(const std::vector<std::vector<std::int32_t>>& by_expert) {
  TracedRun run;
  run.n_layers = 1;
  run.n_experts = static_cast<int>(by_expert.size());
  run.pieces = {"$", ")", " the", " of", "a", "b", "c", "d"};
  for (std::size_t e = 0; e < by_expert.size(); ++e) {
    for (std::int32_t window = 0; window < 4; ++window) {
      run.evidence.layer.push_back(0);
      run.evidence.expert.push_back(static_cast<std::int32_t>(e));
      run.evidence.kind.push_back(0);
      run.evidence.decile.push_back(-1);
      run.evidence.doc_idx.push_back(0);
      run.evidence.position.push_back(window);
      for (std::size_t i = 0; i < 15; ++i) {
        run.evidence.promoted.push_back(i < by_expert[e].size() ? by_expert[e][i] : -1);
      }
    }
  }
  return run;
}

TEST(Promoted, NamesWhatStandsOutAgainstTheLayer) {
  // Everybody promotes ' the'; expert 0 besides '$'.
  const TracedRun run = run_with_promoted({{2, 0, 0}, {2, 3, 4}, {2, 5, 6}, {2, 3, 7}});
  const std::vector<Promoted> promoted = summarize_promoted(run, 0);
  ASSERT_EQ(promoted[0].pieces.size(), 1u);
  EXPECT_EQ(promoted[0].pieces[0].piece, "$");
  EXPECT_EQ(promoted[0].pieces[0].n, 8);
  EXPECT_DOUBLE_EQ(promoted[0].pieces[0].lift, (8.0 / 12) / (8.0 / 48));
  EXPECT_EQ(promoted[0].text, "promotes single signs such as '$'");
}

TEST(Promoted, CountsAWindowOnceAndSaysNothingWithoutEvidence) {
  TracedRun run = run_with_promoted({{0, 0, 0}, {2, 2, 2}});
  for (std::int32_t& position : run.evidence.position) position = 0;  // the same window four times
  EXPECT_EQ(summarize_promoted(run, 0)[0].n, 3);
  EXPECT_EQ(summarize_promoted(run, 0)[0].text, "");
  run.evidence = TracedEvidence();
  EXPECT_EQ(summarize_promoted(run, 0)[0].n, 0);
  EXPECT_TRUE(summarize_promoted(run, 0)[0].pieces.empty());
}

}  // namespace
}  // namespace moescope::label
