// The engine against the whole model for families whose layers are put together differently: residuals entering every
// layer and losses. (The whole model against transformers: tests/model/family_fixture_test.cc.)
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "moescope/engine/engine.h"
#include "moescope/model/language_model.h"
#include "tests/engine/tiny_run.h"

namespace moescope::engine {
namespace {

class ResidualTap : public Tap {
 public:
  ResidualTap(const model::ModelConfig& config, std::int64_t n_tokens)
      : residual(at::zeros({config.n_layers, n_tokens, config.d_model})), losses(at::zeros({n_tokens})) {}
  std::string name() const override { return "residual"; }
  TapNeeds needs() const override { return {true, false, false, true, {}}; }
  void on_residual(const LayerView& view, const at::Tensor& x) override {
    residual[view.layer_idx].index_copy_(0, at::tensor(view.batch.token_idx, at::kLong), x.to(at::kCPU, at::kFloat));
  }
  void on_final(const Batch& batch, const at::Tensor& values) override {
    losses.index_copy_(0, at::tensor(batch.token_idx, at::kLong), values.cpu());
  }
  at::Tensor residual, losses;
};

class ResidualObserver : public model::LayerObserver {
 public:
  explicit ResidualObserver(at::Tensor to) : to_(std::move(to)) {}
  void on_residual(const at::Tensor& x) override { to_.copy_(x); }

 private:
  at::Tensor to_;
};

void run_naively(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, ResidualTap& to) {
  const model::LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  for (const text::Sequence& sequence : corpus.sequences) {
    const auto first = corpus.token_ids.begin() + sequence.first_token;
    const at::Tensor ids = at::tensor(std::vector<std::int64_t>(first, first + sequence.n_tokens), at::kLong);
    std::vector<ResidualObserver> observers;
    for (std::int64_t l = 0; l < checkpoint.config().n_layers; ++l) {
      observers.emplace_back(to.residual[l].narrow(0, sequence.first_token, sequence.n_tokens));
    }
    const at::Tensor residual =
        model.residual(ids.unsqueeze(0), [&](std::int64_t l) { return &observers[static_cast<std::size_t>(l)]; });
    const at::Tensor log_probs = at::log_softmax(model.logits(residual).to(at::kDouble), -1)[0];
    for (std::int64_t t = 0; t + 1 < sequence.n_tokens; ++t) {
      to.losses[sequence.first_token + t] = -log_probs[t][ids[t + 1]].to(at::kFloat);
    }
  }
}

void expect_close(const at::Tensor& got, const at::Tensor& want, const char* what) {
  EXPECT_LE((got - want).abs().max().item<double>(), 2e-5 * want.abs().max().item<double>()) << what;
}

model::Checkpoint open_family(const std::string& variant) {
  return model::Checkpoint::open(
      io::find_checkpoint(std::string(MOESCOPE_SOURCE_DIR) + "/tests/fixtures/family/" + variant));
}

class FamilyEngine : public testing::TestWithParam<std::string> {};

TEST_P(FamilyEngine, GivesTapsWhatTheWholeModelComputes) {
  const c10::InferenceMode inference(true);
  at::set_num_threads(1);
  const auto checkpoint = open_family(GetParam());
  const text::TokenCorpus corpus = test::random_corpus(7, 90, checkpoint.config().d_vocab, 24, 8);
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  ResidualTap got(checkpoint.config(), n_tokens), want(checkpoint.config(), n_tokens);
  EngineOptions options;
  options.memory_bytes = 4ull << 30;
  options.max_wave_tokens = 150;
  options.max_batch_tokens = 60;
  Engine(checkpoint, corpus, options, {&got}).run(0, {});
  run_naively(checkpoint, corpus, want);
  expect_close(got.residual, want.residual, "residual");
  expect_close(got.losses, want.losses, "losses");
}

// The same on a GPU, where there is one: float32 within another order of sums, bfloat16 within its rounding.
TEST_P(FamilyEngine, GivesTheSameOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device, or LibTorch is the CPU build";
  const c10::InferenceMode inference(true);
  const auto checkpoint = open_family(GetParam());
  const text::TokenCorpus corpus = test::random_corpus(7, 90, checkpoint.config().d_vocab, 24, 8);
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  ResidualTap want(checkpoint.config(), n_tokens);
  run_naively(checkpoint, corpus, want);
  for (const auto& [dtype, bound] : {std::pair{at::kFloat, 1e-3}, std::pair{at::kBFloat16, 0.1}}) {
    ResidualTap got(checkpoint.config(), n_tokens);
    EngineOptions options;
    options.device = at::Device(at::kCUDA, 0);
    options.dtype = dtype;
    options.memory_bytes = 4ull << 30;
    options.max_wave_tokens = 150;
    options.max_batch_tokens = 60;
    Engine(checkpoint, corpus, options, {&got}).run(0, {});
    EXPECT_LE((got.losses - want.losses).abs().mean().item<double>(), bound * want.losses.mean().item<double>());
  }
}

INSTANTIATE_TEST_SUITE_P(family, FamilyEngine,
                         testing::Values("gpt2", "gpt_neox", "gpt_neox_sequential", "olmo2", "mistral", "gpt_oss_mxfp4",
                                         "qwen2_moe_step", "deepseek_v3_fp8", "ernie4_5_moe"),
                         [](const auto& param_info) { return param_info.param; });

}  // namespace
}  // namespace moescope::engine
