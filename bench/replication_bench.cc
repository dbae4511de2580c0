// Do two runs with other waves, batches and threads choose the same experts?
//
//   replication_bench [--layers N] [--experts N] [--tokens N] [--cache FOLDER]
// Runs a random checkpoint twice, once whole and once in small waves and batches on one thread, in bfloat16 and in
// float32, and compares the experts of every token in every layer. A choice can only differ where the router's logits
// of the last chosen and the first other expert nearly tie; what follows from such a choice (the token's later layers,
// later tokens of its sequence) is counted apart. Prints one JSON object with the number of each, and the gaps of the
// ties; ends with 1 if a choice differs that was no near tie.
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include "bench/random_olmoe.h"
#include "moescope/engine/engine.h"
#include "moescope/io/checkpoint_folder.h"

namespace {

namespace fs = std::filesystem;
using namespace moescope;

struct Settings {
  std::int64_t n_layers = 2, n_experts = 64, n_tokens = 2048;
  fs::path cache = fs::temp_directory_path() / "moescope-bench";
};

constexpr const char* kUsage = "replication_bench [--layers N] [--experts N] [--tokens N] [--cache FOLDER]";
// Largest gap that rounding can bridge, relative to the largest logit of the token: a few units of the last place of
// the residual that the router reads.
constexpr double kTieBfloat16 = 0.03, kTieFloat32 = 1e-4;

// Experts as sets (sorted), and by how much the last chosen one won.
class ChoiceTap : public engine::Tap {
 public:
  ChoiceTap(const model::ModelConfig& config, std::int64_t n_tokens)
      : ids(at::zeros({config.n_layers, n_tokens, config.router.n_experts_per_token}, at::kLong)),
        gap(at::zeros({config.n_layers, n_tokens})) {}
  std::string name() const override { return "choices"; }
  engine::TapNeeds needs() const override { return {.routing = true}; }
  void on_routing(const engine::LayerView& view, const model::Routing& routing) override {
    const at::Tensor rows = at::tensor(view.batch.token_idx, at::kLong);
    const std::int64_t k = ids.size(2);
    ids[view.layer_idx].index_copy_(0, rows, std::get<0>(routing.expert_ids.sort(1)));
    const at::Tensor best = std::get<0>(routing.logits.topk(k + 1, 1));
    const at::Tensor size = routing.logits.abs().amax(1);
    gap[view.layer_idx].index_copy_(0, rows, (best.select(1, k - 1) - best.select(1, k)) / size);
  }
  at::Tensor ids;  // [L, N, K]
  at::Tensor gap;  // [L, N]
};

void run_once(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, at::ScalarType dtype,
              std::int64_t wave, std::int64_t batch, int n_threads, ChoiceTap& tap) {
  at::set_num_threads(n_threads);
  engine::EngineOptions options;
  options.dtype = dtype;
  options.max_wave_tokens = wave;
  options.max_batch_tokens = batch;
  engine::Engine(checkpoint, corpus, options, {&tap}).run(0, {});
}

nlohmann::json compare(const text::TokenCorpus& corpus, const ChoiceTap& a, const ChoiceTap& b, double tie) {
  const at::Tensor differs = (a.ids != b.ids).any(-1);  // [L, N]
  std::int64_t n_ties = 0, n_followed = 0, n_unexplained = 0;
  double widest = 0;
  for (const text::Sequence& sequence : corpus.sequences) {
    std::int64_t first_touched = sequence.n_tokens;  // positions from here on saw another residual in a layer below
    for (std::int64_t l = 0; l < differs.size(0); ++l) {
      std::int64_t touched = first_touched;
      for (std::int64_t t = 0; t < sequence.n_tokens; ++t) {
        const std::int64_t token = sequence.first_token + t;
        if (!differs[l][token].item<bool>()) continue;
        if (t >= first_touched) {
          ++n_followed;
          continue;
        }
        const double width = a.gap[l][token].item<double>();
        ++(width <= tie ? n_ties : n_unexplained);
        widest = std::max(widest, width);
        touched = std::min(touched, t);
      }
      first_touched = touched;
    }
  }
  return {{"choices", differs.numel()},   {"near_ties", n_ties},           {"followed_from_ties", n_followed},
          {"unexplained", n_unexplained}, {"widest_gap_of_a_tie", widest}, {"bound_of_a_tie", tie}};
}

nlohmann::json run(const Settings& settings) {
  const fs::path folder = bench::make_checkpoint(settings.cache, settings.n_layers, settings.n_experts);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(folder.string()));
  const text::TokenCorpus corpus = bench::random_corpus(settings.n_tokens, checkpoint.config().d_vocab, 256);
  const int n_threads = at::get_num_threads();
  nlohmann::json result = {
      {"n_tokens", settings.n_tokens}, {"threads", {n_threads, 1}}, {"machine", bench::processor()}};
  for (const auto& [name, dtype, tie] :
       {std::tuple{"bfloat16", at::kBFloat16, kTieBfloat16}, std::tuple{"float32", at::kFloat, kTieFloat32}}) {
    ChoiceTap whole(checkpoint.config(), settings.n_tokens), parts(checkpoint.config(), settings.n_tokens);
    run_once(checkpoint, corpus, dtype, 0, 0, n_threads, whole);
    run_once(checkpoint, corpus, dtype, 700, 300, 1, parts);
    result[name] = compare(corpus, whole, parts, tie);
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Settings settings;
    bench::parse_flags(argc, argv, kUsage, [&](const std::string& name, const std::string& value) {
      if (name == "--layers")
        settings.n_layers = std::stoll(value);
      else if (name == "--experts")
        settings.n_experts = std::stoll(value);
      else if (name == "--tokens")
        settings.n_tokens = std::stoll(value);
      else if (name == "--cache")
        settings.cache = value;
      else
        return false;
      return true;
    });
    const nlohmann::json result = run(settings);
    std::printf("%s\n", result.dump(2).c_str());
    return result["bfloat16"]["unexplained"] == 0 && result["float32"]["unexplained"] == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "replication_bench: %s\n", error.what());
    return 1;
  }
}
