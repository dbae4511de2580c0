// A tap of one's own: how many of its K experts does a token share with the token before it?
//
//   repeated_experts models/tiny-olmoe docs
//
// One pass of the engine over a corpus serves every layer. Beside the measured share stands the share to be expected if
// the two tokens chose independently: the sum over experts of (share of tokens that reach it)^2, over K.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "moescope/engine/engine.h"
#include "moescope/engine/opened_model.h"

namespace engine = moescope::engine;

namespace {

struct LayerCounts {
  std::int64_t n_tokens = 0, n_pairs = 0, n_shared = 0;  // shared: experts, over all pairs
  std::int64_t n_per_token = 0;                          // K
  std::vector<std::int64_t> n_by_expert;                 // [E], tokens that reach it
};

class RepeatedExperts : public engine::Tap {
 public:
  RepeatedExperts(std::int64_t n_layers, std::int64_t n_experts) {
    layers_.resize(static_cast<std::size_t>(n_layers));
    for (LayerCounts& layer : layers_) layer.n_by_expert.resize(static_cast<std::size_t>(n_experts));
  }

  std::string name() const override { return "repeated_experts"; }
  engine::TapNeeds needs() const override { return {.routing = true}; }

  // Rows of a sequence are consecutive; the first one of a sequence has no token before it.
  void on_routing(const engine::LayerView& view, const moescope::model::Routing& routing) override {
    LayerCounts& counts = layers_[static_cast<std::size_t>(view.layer_idx)];
    const at::Tensor on_cpu = routing.expert_ids.cpu().contiguous();
    const auto* ids = on_cpu.const_data_ptr<std::int64_t>();  // [N, K]
    const std::int64_t n_per_token = counts.n_per_token = on_cpu.size(1);
    for (std::int64_t row = 0; row < view.batch.n_tokens; ++row) {
      const std::int64_t *begin = ids + row * n_per_token, *end = begin + n_per_token;
      std::for_each(begin, end, [&](std::int64_t expert) { ++counts.n_by_expert[static_cast<std::size_t>(expert)]; });
      ++counts.n_tokens;
      if (view.batch.context_position[static_cast<std::size_t>(row)] == 0) continue;
      ++counts.n_pairs;
      counts.n_shared += std::count_if(
          begin, end, [&](std::int64_t expert) { return std::find(begin - n_per_token, begin, expert) != begin; });
    }
  }

  const std::vector<LayerCounts>& layers() const { return layers_; }

 private:
  std::vector<LayerCounts> layers_;
};

void print_repeats(const std::string& model_name, const std::string& corpus_name) {
  moescope::machine::MachineOptions machine;  // device, dtype, threads, memory budget: as the program chooses them
  const auto model = engine::OpenedModel::open({.model = model_name}, machine);
  const auto documents = moescope::io::open_corpus(corpus_name);
  const moescope::text::TokenCorpus corpus = moescope::text::tokenize_corpus(*documents, model.tokenizer(), {});

  RepeatedExperts tap(model.config().n_layers, model.config().router.n_experts);
  engine::Engine(model.checkpoint(), corpus, model.engine_options(), {&tap}).run(0, {});

  fmt::print("layer     pairs  shared  expected\n");
  for (std::size_t layer = 0; layer < tap.layers().size(); ++layer) {
    const LayerCounts& counts = tap.layers()[layer];
    const auto n_per_token = static_cast<double>(counts.n_per_token);
    double expected = 0;
    for (const std::int64_t n : counts.n_by_expert) {
      const double share = static_cast<double>(n) / static_cast<double>(counts.n_tokens);  // of tokens
      expected += share * share / n_per_token;
    }
    fmt::print("{:5}  {:8}  {:6.4f}    {:6.4f}\n", layer, counts.n_pairs,
               static_cast<double>(counts.n_shared) / (static_cast<double>(counts.n_pairs) * n_per_token), expected);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: repeated_experts MODEL CORPUS\n");
    return 2;
  }
  try {
    print_repeats(argv[1], argv[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "repeated_experts: {}\n", error.what());
    return 1;
  }
  return 0;
}
