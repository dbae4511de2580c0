#include "moescope/engine/wave_runner.h"

#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/engine/tiny_run.h"

namespace moescope::engine {
namespace {

// The residual that enters each layer, and the losses, by row of the wave.
class WaveTap : public Tap {
 public:
  WaveTap(const model::ModelConfig& config, std::int64_t n_tokens)
      : residual(at::zeros({config.n_layers, n_tokens, config.d_model})), losses(at::zeros({n_tokens})) {}
  std::string name() const override { return "wave"; }
  TapNeeds needs() const override { return {.residual = true, .final = true}; }
  void on_residual(const LayerView& view, const at::Tensor& x) override {
    residual[view.layer_idx].narrow(0, view.batch.first_row, x.size(0)).copy_(x);
  }
  void on_final(const Batch& batch, const at::Tensor& values) override {
    losses.narrow(0, batch.first_row, values.size(0)).copy_(values);
  }
  at::Tensor residual, losses;
};

class WaveRuns : public testing::TestWithParam<const char*> {};

TEST_P(WaveRuns, GoOnFromAKeptResidualToTheSameBits) {
  const c10::InferenceMode inference(true);
  const auto checkpoint =
      model::Checkpoint::open(io::find_checkpoint(std::string(MOESCOPE_SOURCE_DIR) + "/tests/fixtures/" + GetParam()));
  const model::ModelConfig& config = checkpoint.config();
  const text::TokenCorpus corpus = test::random_corpus(7, 90, config.d_vocab, 24, 8);
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  const Wave wave{0, static_cast<std::int64_t>(corpus.sequences.size()), n_tokens};
  const std::vector<Batch> batches = cut_batches(corpus, wave, 60);
  MemoryPlan plan;
  plan.attention_tokens = 48;
  plan.logit_rows = 16;
  const WaveContext context{at::kCPU, at::kFloat, corpus.context};
  std::int64_t n_steps = 0;
  const auto step = [&](const Batch&) { ++n_steps; };

  WaveTap whole(config, n_tokens);
  TapSet whole_set({&whole}, config);
  WaveRunner runner(checkpoint, context, plan, whole_set);
  at::Tensor residual = runner.embed(batches);
  const at::Tensor embedded = residual.clone();
  runner.run_layers(batches, {0, config.n_layers}, residual, step);
  runner.run_losses(batches, residual, step);
  EXPECT_EQ(n_steps, static_cast<std::int64_t>(batches.size()) * (config.n_layers + 1));
  EXPECT_FALSE(at::equal(residual, embedded));

  for (std::int64_t a = 0; a <= config.n_layers; ++a) {
    WaveTap parts(config, n_tokens);
    TapSet first_set({&parts}, config), second_set({&parts}, config);
    WaveRunner first(checkpoint, context, plan, first_set);
    at::Tensor kept = first.embed(batches);
    first.run_layers(batches, {0, a}, kept, step);
    WaveRunner second(checkpoint, context, plan, second_set);  // another run, that knows only what was kept
    at::Tensor resumed = kept.clone();
    second.run_layers(batches, {a, config.n_layers}, resumed, step);
    second.run_losses(batches, resumed, step);
    EXPECT_TRUE(at::equal(resumed, residual)) << "from layer " << a;
    EXPECT_TRUE(at::equal(parts.residual, whole.residual)) << "from layer " << a;
    EXPECT_TRUE(at::equal(parts.losses, whole.losses)) << "from layer " << a;
    if (a < config.n_layers) {
      EXPECT_TRUE(at::equal(kept, whole.residual[a])) << "what enters layer " << a;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(families, WaveRuns,
                         testing::Values("model/olmoe/plain", "family/gpt_neox", "family/olmo2", "family/deepseek_v3",
                                         "family/qwen2_moe_step"),
                         [](const auto& param_info) {
                           std::string name = param_info.param;
                           return name.substr(name.find_last_of('/') + 1);
                         });

}  // namespace
}  // namespace moescope::engine
