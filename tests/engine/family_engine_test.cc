// The engine against the whole model for families whose layers are put together differently: residuals entering every
// layer, what shared experts do, and losses. (The whole model against transformers:
// tests/model/family_fixture_test.cc.)
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "moescope/base/error.h"
#include "moescope/engine/engine.h"
#include "moescope/engine/tap_set.h"
#include "moescope/model/language_model.h"
#include "tests/engine/tiny_run.h"

namespace moescope::engine {
namespace {

// Copies what it is given, by layer and the token's place in the corpus.
class ResidualTap : public Tap {
 public:
  ResidualTap(const model::ModelConfig& config, std::int64_t n_tokens)
      : residual(at::zeros({config.n_layers, n_tokens, config.d_model})),
        shared_neurons(at::zeros({config.n_layers, n_tokens, config.d_shared})),
        shared_outputs(at::zeros_like(residual)),
        shared_weights(at::zeros({config.n_layers, n_tokens})),
        losses(at::zeros({n_tokens})) {}
  std::string name() const override { return "residual"; }
  TapNeeds needs() const override { return {.residual = true, .shared = true, .final = true}; }
  void on_residual(const LayerView& view, const at::Tensor& x) override { keep(view, residual, x); }
  void on_shared(const LayerView& view, const model::SharedCall& call) override {
    keep(view, shared_neurons, call.neurons);
    keep(view, shared_outputs, call.outputs);
    keep(view, shared_weights, call.weights);
  }
  void on_final(const Batch& batch, const at::Tensor& values) override {
    losses.index_copy_(0, at::tensor(batch.token_idx, at::kLong), values.cpu());
  }
  at::Tensor residual, shared_neurons, shared_outputs, shared_weights, losses;

 private:
  static void keep(const LayerView& view, at::Tensor& all, const at::Tensor& rows) {
    all[view.layer_idx].index_copy_(0, at::tensor(view.batch.token_idx, at::kLong), rows.to(at::kCPU, at::kFloat));
  }
};

class ResidualObserver : public model::LayerObserver {
 public:
  ResidualObserver(ResidualTap& to, std::int64_t layer, const text::Sequence& sequence)
      : to_(to), layer_(layer), sequence_(sequence) {}
  void on_residual(const at::Tensor& x) override { keep(to_.residual, x); }
  void on_shared(const model::SharedCall& call) override {
    keep(to_.shared_neurons, call.neurons);
    keep(to_.shared_outputs, call.outputs);
    keep(to_.shared_weights, call.weights);
  }

 private:
  void keep(at::Tensor& all, const at::Tensor& rows) {
    all[layer_].narrow(0, sequence_.first_token, sequence_.n_tokens).copy_(rows);
  }
  ResidualTap& to_;
  std::int64_t layer_;
  const text::Sequence& sequence_;
};

void run_naively(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, ResidualTap& to) {
  const model::LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  for (const text::Sequence& sequence : corpus.sequences) {
    const auto first = corpus.token_ids.begin() + sequence.first_token;
    const at::Tensor ids = at::tensor(std::vector<std::int64_t>(first, first + sequence.n_tokens), at::kLong);
    std::vector<ResidualObserver> observers;
    for (std::int64_t l = 0; l < checkpoint.config().n_layers; ++l) {
      observers.emplace_back(to, l, sequence);
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
  if (checkpoint.config().d_shared > 0) {
    expect_close(got.shared_neurons, want.shared_neurons, "shared neurons");
    expect_close(got.shared_outputs, want.shared_outputs, "shared outputs");
    expect_close(got.shared_weights, want.shared_weights, "shared weights");
  }
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

// A tap that asks for shared experts waits for them only in layers that have one: here the sparse ones.
TEST(TapSet, KnowsWhichLayersHaveASharedExpert) {
  const auto mixed = open_family("qwen2_moe_step");  // layers 0 and 2 are dense
  ResidualTap tap(mixed.config(), 1);
  TapSet set({&tap}, mixed.config());
  const Batch batch;
  for (std::int64_t l = 0; l < mixed.config().n_layers; ++l) {
    const LayerView view{l, batch};
    model::LayerObserver* observer = set.observe(view);
    ASSERT_NE(observer, nullptr);
    observer->on_residual(at::zeros({0, mixed.config().d_model}));
    if (l == 1) {
      observer->on_shared(
          {at::zeros({0, mixed.config().d_shared}), at::zeros({0, mixed.config().d_model}), at::zeros({0})});
    }
    set.layer_end(view);
  }
  set.losses(batch, at::zeros({0}));
  try {
    set.check_all_served();
    FAIL() << "layer 3 was never given";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "tap 'residual' asked for the shared expert's activations of layer 3 and never got it");
  }
}

}  // namespace
}  // namespace moescope::engine
