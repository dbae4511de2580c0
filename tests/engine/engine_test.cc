#include "moescope/engine/engine.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/engine/tap_set.h"
#include "moescope/model/language_model.h"
#include "tests/engine/tiny_run.h"

namespace moescope::engine {
namespace {

using test::open_fixture;
using test::random_corpus;

// Copies everything it is given, by the token's place in the corpus.
class CopyTap : public Tap {
 public:
  CopyTap(const model::ModelConfig& config, std::int64_t n_tokens) {
    const std::int64_t n_layers = config.n_layers, k = config.router.n_experts_per_token;
    residual = at::zeros({n_layers, n_tokens, config.d_model});
    expert_ids = at::full({n_layers, n_tokens, k}, -1, at::kLong);
    weights = at::zeros({n_layers, n_tokens, k});
    outputs = at::zeros({n_layers, n_tokens, k, config.d_model});
    neurons = at::zeros({n_layers, n_tokens, k, config.d_expert});
    losses = at::zeros({n_tokens});
  }
  std::string name() const override { return "copy"; }
  TapNeeds needs() const override { return wanted; }

  void on_residual(const LayerView& view, const at::Tensor& x) override {
    residual[view.layer_idx].index_copy_(0, places(view.batch), x.to(at::kFloat));
  }
  void on_routing(const LayerView& view, const model::Routing& routing) override {
    expert_ids[view.layer_idx].index_copy_(0, places(view.batch), routing.expert_ids);
    weights[view.layer_idx].index_copy_(0, places(view.batch), routing.weights);
  }
  void on_expert(const LayerView& view, const model::ExpertCall& call) override {
    const at::Tensor token = places(view.batch).index_select(0, call.rows);
    const at::Tensor slot = call.slots - call.rows * expert_ids.size(2);
    outputs[view.layer_idx].index_put_({token, slot}, call.outputs.to(at::kFloat));
    neurons[view.layer_idx].index_put_({token, slot}, call.neurons.to(at::kFloat));
  }
  void on_layer_end(const LayerView& view) override { ++n_layer_ends[view.layer_idx]; }
  void on_final(const Batch& batch, const at::Tensor& values) override { losses.index_copy_(0, places(batch), values); }

  TapNeeds wanted{.residual = true, .routing = true, .experts = true, .final = true};
  at::Tensor residual, expert_ids, weights, outputs, neurons, losses;
  std::map<std::int64_t, int> n_layer_ends;

 private:
  static at::Tensor places(const Batch& batch) { return at::tensor(batch.token_idx, at::kLong); }
};

// The same numbers from the whole model, one sequence at a time.
class NaiveObserver : public model::LayerObserver {
 public:
  NaiveObserver(CopyTap& to, std::int64_t layer, std::int64_t first) : to_(to), layer_(layer), first_(first) {}
  void on_residual(const at::Tensor& x) override { to_.residual[layer_].narrow(0, first_, x.size(0)).copy_(x); }
  void on_routing(const model::Routing& routing) override {
    to_.expert_ids[layer_].narrow(0, first_, routing.expert_ids.size(0)).copy_(routing.expert_ids);
    to_.weights[layer_].narrow(0, first_, routing.weights.size(0)).copy_(routing.weights);
  }
  void on_expert(const model::ExpertCall& call) override {
    const at::Tensor slot = call.slots - call.rows * to_.expert_ids.size(2);
    to_.outputs[layer_].index_put_({call.rows + first_, slot}, call.outputs);
    to_.neurons[layer_].index_put_({call.rows + first_, slot}, call.neurons);
  }

 private:
  CopyTap& to_;
  std::int64_t layer_, first_;
};

void run_naively(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, CopyTap& to) {
  const c10::InferenceMode inference(true);
  const model::LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  for (const text::Sequence& sequence : corpus.sequences) {
    const auto first = corpus.token_ids.begin() + sequence.first_token;
    const at::Tensor ids =
        at::tensor(std::vector<std::int64_t>(first, first + sequence.n_tokens), at::kLong).unsqueeze(0);
    std::vector<NaiveObserver> observers;
    for (std::int64_t l = 0; l < checkpoint.config().n_layers; ++l) observers.emplace_back(to, l, sequence.first_token);
    const at::Tensor residual =
        model.residual(ids, [&](std::int64_t l) { return &observers[static_cast<std::size_t>(l)]; });
    const at::Tensor log_probs = at::log_softmax(model.logits(residual).to(at::kDouble), -1)[0];
    for (std::int64_t t = 0; t + 1 < sequence.n_tokens; ++t) {
      to.losses[sequence.first_token + t] = -log_probs[t][ids[0][t + 1]].to(at::kFloat);
    }
  }
}

void expect_close(const at::Tensor& got, const at::Tensor& want, const char* what) {
  EXPECT_LE((got - want).abs().max().item<double>(), 2e-5 * want.abs().max().item<double>()) << what;
}

struct Shape {
  std::int64_t wave_tokens, batch_tokens;
};
class EngineWaves : public testing::TestWithParam<Shape> {};

TEST_P(EngineWaves, GiveTapsWhatTheWholeModelComputes) {
  const model::Checkpoint checkpoint = open_fixture();
  const text::TokenCorpus corpus = random_corpus(12, 150, checkpoint.config().d_vocab, 48, 16);
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  CopyTap got(checkpoint.config(), n_tokens), want(checkpoint.config(), n_tokens);
  EngineOptions options;
  options.memory_bytes = 4ull << 30;
  options.max_wave_tokens = GetParam().wave_tokens;
  options.max_batch_tokens = GetParam().batch_tokens;
  Engine engine(checkpoint, corpus, options, {&got});
  const RunResult result = engine.run(0, {});
  EXPECT_EQ(result.n_tokens, n_tokens);
  run_naively(checkpoint, corpus, want);
  EXPECT_TRUE(at::equal(got.expert_ids, want.expert_ids));
  expect_close(got.weights, want.weights, "weights");
  expect_close(got.residual, want.residual, "residual");
  expect_close(got.outputs, want.outputs, "outputs");
  expect_close(got.neurons, want.neurons, "neurons");
  expect_close(got.losses, want.losses, "losses");
}

INSTANTIATE_TEST_SUITE_P(Sizes, EngineWaves,
                         testing::Values(Shape{0, 0}, Shape{48, 0}, Shape{200, 0}, Shape{0, 48}, Shape{300, 100}));

TEST(Engine, GoesOnAtTheSequenceItIsGiven) {
  const model::Checkpoint checkpoint = open_fixture();
  const text::TokenCorpus corpus = random_corpus(6, 100, checkpoint.config().d_vocab, 32, 16);
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  CopyTap whole(checkpoint.config(), n_tokens), parts(checkpoint.config(), n_tokens);
  EngineOptions options;
  options.memory_bytes = 4ull << 30;
  options.max_wave_tokens = 64;
  std::vector<std::int64_t> bounds;
  Engine::Hooks hooks;
  hooks.wave_end = [&](std::int64_t next) { bounds.push_back(next); };
  Engine(checkpoint, corpus, options, {&whole}).run(0, hooks);
  ASSERT_GE(bounds.size(), 3U);
  EXPECT_EQ(bounds.back(), static_cast<std::int64_t>(corpus.sequences.size()));

  struct Stop {};
  Engine::Hooks stop_after_two;
  int n_waves = 0;
  stop_after_two.wave_end = [&](std::int64_t) {
    if (++n_waves == 2) throw Stop();
  };
  EXPECT_THROW(Engine(checkpoint, corpus, options, {&parts}).run(0, stop_after_two), Stop);
  EXPECT_FALSE(at::equal(parts.expert_ids, whole.expert_ids));
  Engine(checkpoint, corpus, options, {&parts}).run(bounds[1], {});
  EXPECT_TRUE(at::equal(parts.expert_ids, whole.expert_ids));
  EXPECT_TRUE(at::equal(parts.losses, whole.losses));
}

TEST(Engine, RunsOnlyTheRangeItIsGiven) {
  const model::Checkpoint checkpoint = open_fixture();
  const text::TokenCorpus corpus = random_corpus(6, 100, checkpoint.config().d_vocab, 32, 16);
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  CopyTap whole(checkpoint.config(), n_tokens), part(checkpoint.config(), n_tokens);
  EngineOptions options;
  options.memory_bytes = 4ull << 30;
  Engine(checkpoint, corpus, options, {&whole}).run(0, {});
  options.range = SequenceRange{4, 9};
  const RunResult result = Engine(checkpoint, corpus, options, {&part}).run(4, {});
  const std::int64_t first = first_token_of(corpus, 4), end = first_token_of(corpus, 9);
  EXPECT_EQ(result.n_tokens, end - first);
  EXPECT_TRUE(at::equal(part.expert_ids[1].slice(0, first, end), whole.expert_ids[1].slice(0, first, end)));
  EXPECT_TRUE((part.expert_ids[1].slice(0, 0, first) == -1).all().item<bool>());
  EXPECT_TRUE((part.expert_ids[1].slice(0, end) == -1).all().item<bool>());
}

TEST(Engine, GivesATapOnlyTheLayersItAsksFor) {
  const model::Checkpoint checkpoint = open_fixture();
  const text::TokenCorpus corpus = random_corpus(3, 60, checkpoint.config().d_vocab, 32, 16);
  CopyTap tap(checkpoint.config(), static_cast<std::int64_t>(corpus.token_ids.size()));
  tap.wanted = {.routing = true, .layers = {1}};
  EngineOptions options;
  options.memory_bytes = 4ull << 30;
  Engine(checkpoint, corpus, options, {&tap}).run(0, {});
  EXPECT_TRUE((tap.expert_ids[0] == -1).all().item<bool>());
  EXPECT_TRUE((tap.expert_ids[1] >= 0).all().item<bool>());
  EXPECT_TRUE((tap.expert_ids[2] == -1).all().item<bool>());
  EXPECT_EQ(tap.residual.abs().max().item<double>(), 0.0);
  EXPECT_EQ(tap.losses.abs().max().item<double>(), 0.0);
  EXPECT_EQ(tap.n_layer_ends.size(), 1U);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Engine, RefusesWhatCannotRun) {
  const model::Checkpoint checkpoint = open_fixture();
  const std::int64_t d_vocab = checkpoint.config().d_vocab;
  text::TokenCorpus corpus = random_corpus(3, 60, d_vocab, 32, 16);
  CopyTap tap(checkpoint.config(), static_cast<std::int64_t>(corpus.token_ids.size()));
  EngineOptions options;
  options.memory_bytes = 4ull << 30;
  const auto make = [&] { Engine(checkpoint, corpus, options, {&tap}); };
  EXPECT_EQ(message_of(make), "");

  tap.wanted.layers = {99};
  EXPECT_EQ(message_of(make), "tap 'copy' asks for layer 99 of a model with 3 layers");
  tap.wanted.layers.clear();

  options.range = SequenceRange{2, 1000};
  EXPECT_NE(message_of(make).find("sequences 2 to 1000: not a part of a corpus of"), std::string::npos);
  options.range.reset();

  options.memory_bytes = 1'000'000;
  EXPECT_NE(message_of(make).find("are needed for one sequence (raise option 'memory'"), std::string::npos)
      << message_of(make);
  options.memory_bytes = 4ull << 30;

  corpus.token_ids[5] = static_cast<std::int32_t>(d_vocab);
  EXPECT_NE(message_of(make).find("token id 67 is outside the model's vocabulary of 67"), std::string::npos);
  corpus.token_ids[5] = 0;

  text::tile_documents(corpus, 256, 32, 1);
  EXPECT_NE(message_of(make).find("longer than the model's 128"), std::string::npos) << message_of(make);
}

// Asks for losses and throws everything away; the engine's own books must notice what was not given.
TEST(TapSet, NamesATapThatNeverGotWhatItAskedFor) {
  const model::Checkpoint checkpoint = open_fixture();
  CopyTap tap(checkpoint.config(), 1);
  tap.wanted = {.routing = true, .layers = {2}};
  const TapSet set({&tap}, checkpoint.config());
  EXPECT_EQ(message_of([&] { set.check_all_served(); }),
            "tap 'copy' asked for the routing of layer 2 and never got it");
  tap.wanted = {.final = true};
  const TapSet other({&tap}, checkpoint.config());
  EXPECT_EQ(message_of([&] { other.check_all_served(); }), "tap 'copy' asked for losses and never got them");
}

}  // namespace
}  // namespace moescope::engine
