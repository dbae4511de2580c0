// How near a recording comes to what the machine's matrix products allow.
//
//   record_bench [--layers N] [--tokens N] [--repeats N] [--threads N] [--memory SIZE] [--cache FOLDER]
// Makes (once) a checkpoint of OLMoE-1B-7B's shape cut to N (2) layers with random bfloat16 weights, 0.84 GB a layer.
// First checks the engine's losses against the whole model on a small input. Then it runs, interleaved, (a) a 4096^3
// bfloat16 matrix product, whose speed is the machine's peak, and (b) a recording of random text with every tap
// (without the loss). Prints one JSON object: tokens/s, and tokens/s as a share of peak / arithmetic of a token, where
// arithmetic is two times the parameters that a token meets in the layers plus causal attention; medians, and the
// lowest and highest.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/random_olmoe.h"
#include "moescope/base/byte_size.h"
#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/engine/engine.h"
#include "moescope/engine/memory.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/model/family.h"
#include "moescope/model/language_model.h"
#include "moescope/record/recorder.h"

namespace {

namespace fs = std::filesystem;
using namespace moescope;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMatrixSide = 4096;

struct Settings {
  std::int64_t n_layers = 2;
  std::int64_t n_tokens = 8192;
  int n_repeats = 5;
  int n_threads = 0;
  std::uint64_t memory_bytes = 0;
  fs::path cache = fs::temp_directory_path() / "moescope-bench";
};

constexpr const char* kUsage =
    "record_bench [--layers N] [--tokens N] [--repeats N] [--threads N] [--memory SIZE] [--cache FOLDER]";

Settings parse(int argc, char** argv) {
  Settings settings;
  bench::parse_flags(argc, argv, kUsage, [&](const std::string& name, const std::string& value) {
    if (name == "--layers")
      settings.n_layers = std::stoll(value);
    else if (name == "--tokens")
      settings.n_tokens = std::stoll(value);
    else if (name == "--repeats")
      settings.n_repeats = std::stoi(value);
    else if (name == "--threads")
      settings.n_threads = std::stoi(value);
    else if (name == "--memory")
      settings.memory_bytes = parse_bytes(value);
    else if (name == "--cache")
      settings.cache = value;
    else
      return false;
    return true;
  });
  return settings;
}

class LossTap : public engine::Tap {
 public:
  explicit LossTap(std::int64_t n_tokens) : losses(at::zeros({n_tokens})) {}
  std::string name() const override { return "losses"; }
  engine::TapNeeds needs() const override { return {.final = true}; }
  void on_final(const engine::Batch& batch, const at::Tensor& values) override {
    losses.index_copy_(0, at::tensor(batch.token_idx, at::kLong), values);
  }
  at::Tensor losses;
};

// Mean and largest difference of the engine's losses from those of the whole model, both in bfloat16.
nlohmann::json check_against_model(const model::Checkpoint& checkpoint) {
  const text::TokenCorpus corpus = bench::random_corpus(300, checkpoint.config().d_vocab, 96);
  LossTap tap(300);
  engine::EngineOptions options;
  options.dtype = at::kBFloat16;
  engine::Engine(checkpoint, corpus, options, {&tap}).run(0, {});
  const c10::InferenceMode inference(true);
  const model::LanguageModel model(checkpoint, at::kBFloat16, at::kCPU);
  double worst = 0, sum = 0;
  std::int64_t n = 0;
  for (const text::Sequence& sequence : corpus.sequences) {
    const auto first = corpus.token_ids.begin() + sequence.first_token;
    const std::vector<std::int64_t> ids(first, first + sequence.n_tokens);
    const at::Tensor residual = model.residual(at::tensor(ids, at::kLong).unsqueeze(0));
    const at::Tensor log_probs = at::log_softmax(model.logits(residual).to(at::kFloat), -1)[0];
    for (std::int64_t t = 0; t + 1 < sequence.n_tokens; ++t, ++n) {
      const double want = -log_probs[t][ids[static_cast<std::size_t>(t) + 1]].item<double>();
      const double error = std::abs(tap.losses[sequence.first_token + t].item<double>() - want);
      worst = std::max(worst, error);
      sum += error;
    }
  }
  // Losses are near ln 50304 = 10.8; bfloat16 logits have three digits. A token whose router has a near tie may go to
  // another expert when its matrix product has another size, so single tokens differ more than the mean.
  if (sum / static_cast<double>(n) > 0.02) throw input_error("the engine's losses differ from the model's by {}", sum);
  return {{"n_losses", n}, {"mean_difference", sum / static_cast<double>(n)}, {"largest_difference", worst}};
}

double seconds_of_product(const at::Tensor& a, const at::Tensor& b) {
  const Clock::time_point start = Clock::now();
  at::matmul(a, b);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double record_seconds(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, const Settings& settings,
                      nlohmann::json& memory) {
  record::RecorderOptions options;
  options.n_traced = static_cast<std::int64_t>(corpus.token_ids.size());
  options.loss = false;
  options.dtype = at::kBFloat16;
  record::Recorder recorder(checkpoint.config(), corpus, options, settings.cache);
  engine::EngineOptions engine_options;
  engine_options.dtype = at::kBFloat16;
  engine_options.memory_bytes = settings.memory_bytes;
  engine::Engine engine(checkpoint, corpus, engine_options, {&recorder});
  const double seconds = engine.run(0, {}).seconds;
  memory = {{"budget_bytes", engine.budget_bytes()},
            {"planned_bytes", engine.plan().total_bytes()},
            {"peak_bytes", engine::peak_resident_bytes().value_or(0)},
            {"batch_tokens", engine.plan().batch_tokens}};
  return seconds;
}

double flops_of_token(const model::ModelConfig& config, const text::TokenCorpus& corpus) {
  double pairs = 0;  // (query, key) under the causal mask
  for (const text::Sequence& sequence : corpus.sequences) pairs += sequence.n_tokens * (sequence.n_tokens + 1.0) / 2;
  const double attention = 4 * static_cast<double>(config.attention.n_heads * config.attention.d_head) * pairs *
                           static_cast<double>(config.n_layers) / static_cast<double>(corpus.token_ids.size());
  return config.flops_per_token(false) + attention;
}

nlohmann::json spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {{"median", values[values.size() / 2]}, {"low", values.front()}, {"high", values.back()}};
}

nlohmann::json run(const Settings& settings) {
  if (settings.n_threads > 0) at::set_num_threads(settings.n_threads);
  const fs::path folder = bench::make_checkpoint(settings.cache, settings.n_layers, 64);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(folder.string()));
  const nlohmann::json checked = check_against_model(checkpoint);
  const text::TokenCorpus corpus = bench::random_corpus(settings.n_tokens, checkpoint.config().d_vocab, 256);
  const double flops = flops_of_token(checkpoint.config(), corpus);

  const c10::InferenceMode inference(true);
  const at::Tensor a = at::randn({kMatrixSide, kMatrixSide}, at::kBFloat16);
  const at::Tensor b = at::randn({kMatrixSide, kMatrixSide}, at::kBFloat16);
  seconds_of_product(a, b);
  const double product_flops = 2 * std::pow(static_cast<double>(kMatrixSide), 3);
  std::vector<double> peaks, speeds, shares;
  nlohmann::json memory;
  for (int i = 0; i < settings.n_repeats; ++i) {
    const double before = seconds_of_product(a, b);
    const double seconds = record_seconds(checkpoint, corpus, settings, memory);
    const double after = seconds_of_product(a, b);
    peaks.push_back(product_flops / ((before + after) / 2));
    speeds.push_back(static_cast<double>(settings.n_tokens) / seconds);
    shares.push_back(speeds.back() * flops / peaks.back());
    std::fprintf(stderr, "repeat %d: %.0f tokens/s, peak %.0f GFLOP/s, share %.2f\n", i + 1, speeds.back(),
                 peaks.back() / 1e9, shares.back());
  }
  fs::remove(settings.cache / "trace.bin");
  for (double& peak : peaks) peak /= 1e9;
  return {{"benchmark", fmt::format("record, OLMoE-1B-7B cut to {} layers, bfloat16", settings.n_layers)},
          {"n_tokens", settings.n_tokens},
          {"context", corpus.context},
          {"mflops_per_token", flops / 1e6},
          {"share_of_peak", spread(shares)},
          {"tokens_per_s", spread(speeds)},
          {"peak_gflops_per_s", spread(peaks)},
          {"check", checked},
          {"memory", memory},
          {"threads", at::get_num_threads()},
          {"machine", bench::processor()}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::printf("%s\n", run(parse(argc, argv)).dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "record_bench: %s\n", error.what());
    return 1;
  }
}
