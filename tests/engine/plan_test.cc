#include "moescope/engine/plan.h"

#include <gtest/gtest.h>

#include "moescope/base/error.h"

namespace moescope::engine {
namespace {

PlanInput olmoe_on(std::uint64_t budget_bytes) {
  PlanInput input;
  input.config.d_model = 2048;
  input.config.d_expert = 1024;
  input.config.d_vocab = 50304;
  input.config.n_layers = 16;
  input.config.attention.n_heads = input.config.attention.n_kv_heads = 16;
  input.config.attention.d_head = 128;
  input.config.router.n_experts = 64;
  input.config.router.n_experts_per_token = 8;
  input.budget_bytes = budget_bytes;
  input.resident_bytes = 300u << 20;
  input.layer_bytes = 840u << 20;
  input.embedding_bytes = 412u << 20;
  input.element_bytes = 2;
  input.context = 256;
  input.n_tokens = 2'000'000;
  input.losses = true;
  return input;
}

TEST(Plan, StaysWithinTheBudgetAndUsesIt) {
  MemoryPlan before;
  for (const std::uint64_t gigabytes : {3, 4, 6, 8, 12, 20, 40}) {
    const MemoryPlan plan = make_plan(olmoe_on(gigabytes * 1'000'000'000));
    EXPECT_LE(plan.total_bytes(), gigabytes * 1'000'000'000);
    EXPECT_GE(plan.batch_tokens, 256);
    EXPECT_GE(plan.wave_tokens, plan.batch_tokens);
    EXPECT_GE(plan.batch_tokens, plan.attention_tokens);
    EXPECT_GT(plan.logit_rows, 0);
    EXPECT_GE(plan.batch_tokens, before.batch_tokens) << gigabytes;
    before = plan;
  }
  EXPECT_FALSE(make_plan(olmoe_on(8'000'000'000)).keep_layers);
  EXPECT_TRUE(make_plan(olmoe_on(40'000'000'000)).keep_layers);
}

// Streaming from disk, arithmetic on a wave must take longer than reading a layer: tens of thousands of tokens.
TEST(Plan, MakesLongWavesWhereLayersStream) { EXPECT_GE(make_plan(olmoe_on(8'000'000'000)).wave_tokens, 65536); }

TEST(Plan, SaysWhatIsNeededAtLeast) {
  try {
    make_plan(olmoe_on(1'000'000'000));
    FAIL() << "made a plan";
  } catch (const Error& error) {
    const std::string line = error.what();
    EXPECT_NE(line.find("a memory budget of 1.0 GB is too small"), std::string::npos) << line;
  }
}

TEST(Plan, CountsWhatTapsSetAside) {
  PlanInput input = olmoe_on(8'000'000'000);
  const std::int64_t without = make_plan(input).wave_tokens;
  input.taps.fixed_bytes = 4'600'000'000;
  EXPECT_LT(make_plan(input).wave_tokens, without);
  input.taps.fixed_bytes = 7'000'000'000;
  EXPECT_THROW(make_plan(input), Error);
  input.taps_on_device = false;  // of the host, while the plan is for a card
  EXPECT_EQ(make_plan(input).wave_tokens, without);
}

TEST(Plan, HeedsTheSizesAskedFor) {
  PlanInput input = olmoe_on(8'000'000'000);
  input.max_wave_tokens = 1000;
  input.max_batch_tokens = 500;
  const MemoryPlan plan = make_plan(input);
  EXPECT_EQ(plan.wave_tokens, 1000);
  EXPECT_EQ(plan.batch_tokens, 500);
  input.max_wave_tokens = 10;  // a sequence is not cut
  EXPECT_EQ(make_plan(input).wave_tokens, 256);
}

}  // namespace
}  // namespace moescope::engine
