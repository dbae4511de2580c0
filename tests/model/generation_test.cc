#include "moescope/model/generation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "tests/model/fixture.h"

namespace moescope::model {
namespace {

at::Tensor logits_of(const std::vector<double>& probs) {
  return at::tensor(probs, at::TensorOptions().dtype(at::kDouble)).log();
}

TEST(ChooseToken, GreedyTakesTheLowestOfEqualTokens) {
  EXPECT_EQ(choose_token(at::tensor({1.0, 3.0, 3.0, 2.0}), 0, 1, 0.99), 1);
}

TEST(ChooseToken, SamplesInProportionToTheProbabilities) {
  const std::vector<double> probs = {0.1, 0.6, 0.3};
  const at::Tensor logits = logits_of(probs);
  Random random(7);
  std::map<std::int64_t, int> counts;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) ++counts[choose_token(logits, 1.0, 1.0, random.uniform())];
  for (std::size_t v = 0; v < probs.size(); ++v) {
    const double sigma = std::sqrt(probs[v] * (1 - probs[v]) / kDraws);
    EXPECT_NEAR(counts[static_cast<std::int64_t>(v)] / static_cast<double>(kDraws), probs[v], 5 * sigma) << v;
  }
}

TEST(ChooseToken, TopPKeepsTheFewestTokensThatReachIt) {
  const at::Tensor logits = logits_of({0.1, 0.6, 0.3});
  for (const double uniform : {0.0, 0.5, 0.999}) {
    EXPECT_EQ(choose_token(logits, 1.0, 0.6, uniform), 1);
    EXPECT_NE(choose_token(logits, 1.0, 0.61, uniform), 0);
  }
  EXPECT_EQ(choose_token(logits, 1.0, 0.61, 0.999), 2);
}

TEST(ChooseToken, TemperatureSharpens) {
  // At temperature 1/2 the odds 2 : 1 become 4 : 1, so the border between the two lies at 0.8.
  const at::Tensor logits = logits_of({2.0 / 3, 1.0 / 3});
  EXPECT_EQ(choose_token(logits, 0.5, 1.0, 0.799), 0);
  EXPECT_EQ(choose_token(logits, 0.5, 1.0, 0.801), 1);
}

class Generate : public ::testing::Test {
 protected:
  const Checkpoint checkpoint_ = testing::open_fixture("plain");
  const LanguageModel model_{checkpoint_, at::kFloat, at::kCPU};
};

TEST_F(Generate, SameSeedSameText) {
  GenerationOptions options;
  options.temperature = 1.0;
  options.top_p = 0.9;
  options.seed = 3;
  const Generation first = generate(model_, {1, 2, 3}, options);
  EXPECT_EQ(first.ids, generate(model_, {1, 2, 3}, options).ids);
  options.seed = 4;
  EXPECT_NE(first.ids, generate(model_, {1, 2, 3}, options).ids);
}

TEST_F(Generate, StopsWhereTheContextIsFull) {
  GenerationOptions options;
  options.max_new_tokens = 1'000'000;
  const Generation generation = generate(model_, {1, 2, 3}, options);
  EXPECT_TRUE(generation.context_full || generation.ended);
  EXPECT_LE(static_cast<std::int64_t>(generation.ids.size()), model_.config().n_ctx);
}

TEST_F(Generate, RefusesWhatCannotBeMeant) {
  GenerationOptions options;
  EXPECT_THROW(generate(model_, {}, options), Error);
  EXPECT_THROW(generate(model_, std::vector<std::int64_t>(100000, 1), options), Error);
  options.top_p = 0;
  EXPECT_THROW(generate(model_, {1}, options), Error);
  options.top_p = 1;
  options.temperature = -1;
  EXPECT_THROW(generate(model_, {1}, options), Error);
}

}  // namespace
}  // namespace moescope::model
