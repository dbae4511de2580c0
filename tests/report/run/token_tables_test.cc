#include "moescope/report/run/token_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moescope::report {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// One layer, two experts, one expert a token.
ReportedRun two_experts() {
  ReportedRun data;
  data.n_layers = 1;
  data.n_experts = 2;
  data.n_experts_per_token = 1;
  data.pieces = {"a", "b", "c", "d"};
  data.input_tokens = {{{0, 50}, {1, 8}, {2, 2}}, {{0, 60}, {3, 1}, {2, 1}}};
  return data;
}

std::vector<std::int32_t> ids(const std::vector<ListedToken>& list) {
  std::vector<std::int32_t> out;
  for (const ListedToken& token : list) out.push_back(token.token_id);
  return out;
}

TEST(ListedTokens, UniteTheMostFrequentAndTheMostOverRepresented) {
  const auto lists = listed_tokens(two_experts(), 1);
  // Token 1 comes to expert 0 only, 8 times: the largest G2. Token 0 is the most frequent of both, and rarer here
  // than there.
  EXPECT_THAT(ids(lists[0]), ElementsAre(0, 1));
  EXPECT_EQ(lists[0][0].n_here, 50);
  EXPECT_EQ(lists[0][0].n_layer, 110);
  EXPECT_THAT(ids(lists[1]), ElementsAre(0));
}

TEST(ListedTokens, HoldEveryTokenOnceWhenThereIsRoom) {
  EXPECT_THAT(ids(listed_tokens(two_experts(), 10)[0]), UnorderedElementsAre(0, 1, 2));
}

TEST(IndexedTokens, NameTheExpertsThatGetATokenMostOften) {
  const auto tokens = indexed_tokens(two_experts(), 3, 1);
  ASSERT_EQ(tokens.size(), 3u);
  EXPECT_EQ(tokens[0].token_id, 0);
  EXPECT_EQ(tokens[0].n_occurrences, 110);
  ASSERT_EQ(tokens[0].layers[0].size(), 1u);
  EXPECT_EQ(tokens[0].layers[0][0].token_id, 1) << "expert 1 gets it 60 times";
  EXPECT_EQ(tokens[0].layers[0][0].n, 60);
  EXPECT_EQ(tokens[1].token_id, 1);
  EXPECT_EQ(tokens[2].token_id, 2);
}

TEST(IndexedTokens, CountOccurrencesAndNotChoices) {
  ReportedRun data = two_experts();
  data.n_experts_per_token = 2;
  EXPECT_EQ(indexed_tokens(data, 1, 2)[0].n_occurrences, 55);
}

TEST(InputEntropy, IsThatOfTheCounts) {
  ReportedRun data = two_experts();
  data.input_tokens[0] = {{0, 2}, {1, 1}, {2, 1}};
  data.input_tokens[1] = {};
  const auto bits = input_entropy_bits(data);
  ASSERT_TRUE(bits[0].has_value());
  EXPECT_NEAR(*bits[0], 1.5, 1e-12) << "1/2, 1/4, 1/4";
  EXPECT_FALSE(bits[1].has_value()) << "no tokens, no entropy";
}

}  // namespace
}  // namespace moescope::report
