#include "moescope/engine/engine.h"

#include <algorithm>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/engine/memory.h"
#include "moescope/engine/tap_set.h"
#include "moescope/engine/wave_runner.h"
#include "moescope/machine/device.h"

namespace moescope::engine {
namespace {

void check_corpus(const model::ModelConfig& config, const text::TokenCorpus& corpus) {
  if (corpus.sequences.empty()) throw input_error("no tokens to run");
  const auto [low, high] = std::minmax_element(corpus.token_ids.begin(), corpus.token_ids.end());
  if (*low < 0 || *high >= config.d_vocab) {
    throw input_error("token id {} is outside the model's vocabulary of {}", *low < 0 ? *low : *high, config.d_vocab)
        .hint("is tokenizer.json that of another model?");
  }
  if (corpus.context > config.n_ctx) {
    throw input_error("a context of {} tokens is longer than the model's {}", corpus.context, config.n_ctx)
        .hint("lower option 'context'");
  }
}

std::uint64_t default_budget(at::Device device) {
  const std::optional<std::uint64_t> free = device.is_cpu() ? free_memory_bytes() : machine::card_free_bytes(device);
  if (!free)
    throw environment_error("free memory of the device is unknown").hint("give the memory budget, for example 8G");
  return *free / 2 + (device.is_cpu() ? resident_bytes().value_or(0) : 0);
}

// Runs one wave after the other and tells how far the run is.
class Runner {
 public:
  Runner(const model::ModelConfig& config, WaveRunner& waves, bool with_losses, const Engine::Hooks& hooks,
         Progress& progress)
      : n_layers_(config.n_layers), waves_(waves), with_losses_(with_losses), hooks_(hooks), progress_(progress) {}

  void run_wave(const std::vector<Batch>& batches, std::int64_t n_tokens, bool is_last) {
    std::int64_t n_steps = 0;  // tokens that passed a layer, or the losses
    const std::int64_t n_all_steps = (n_layers_ + (with_losses_ ? 1 : 0)) * n_tokens;
    const auto step = [&](const Batch& batch) {
      n_steps += batch.n_tokens;
      if (n_steps == n_all_steps) return;
      progress_.update(n_done_ + n_steps / (n_all_steps / n_tokens));
      hooks_.between_batches();
    };
    at::Tensor residual = waves_.embed(batches);
    const std::optional<std::int64_t> next = is_last ? std::nullopt : std::optional<std::int64_t>(0);
    waves_.run_layers(batches, {0, n_layers_, next}, residual, step);
    waves_.run_losses(batches, residual, step);
    n_done_ += n_tokens;
    progress_.update(n_done_);
  }

  void set_done(std::int64_t n_tokens) {
    n_done_ = n_tokens;
    progress_.update(n_done_);
  }

 private:
  std::int64_t n_layers_;
  WaveRunner& waves_;
  bool with_losses_;
  const Engine::Hooks& hooks_;
  Progress& progress_;
  std::int64_t n_done_ = 0;
};

}  // namespace

Engine::Engine(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, const EngineOptions& options,
               const std::vector<Tap*>& taps)
    : checkpoint_(checkpoint),
      corpus_(corpus),
      options_(options),
      taps_(taps),
      range_(options.range.value_or(all_sequences(corpus))) {
  const model::ModelConfig& config = checkpoint.config();
  check_corpus(config, corpus);
  check_range(corpus, range_);
  const TapSet set(taps, config);
  budget_bytes_ = options.memory_bytes > 0 ? options.memory_bytes : default_budget(options.device);
  const auto element_bytes = static_cast<std::uint64_t>(at::elementSize(options.dtype));
  PlanInput input;
  input.config = config;
  input.budget_bytes = budget_bytes_;
  input.resident_bytes = options.device.is_cpu() ? resident_bytes().value_or(0) : 0;
  input.layer_bytes = checkpoint.layer_bytes(options.dtype);
  input.embedding_bytes = static_cast<std::uint64_t>(config.d_vocab * config.d_model) * element_bytes;
  if (!config.tie_embeddings) input.embedding_bytes *= 2;
  input.element_bytes = static_cast<std::int64_t>(element_bytes);
  input.context = corpus.context;
  input.n_tokens = first_token_of(corpus, range_.end) - first_token_of(corpus, range_.begin);
  input.taps = set.memory();
  input.taps_on_device = options.device.is_cpu();
  input.losses = set.wants_final();
  input.max_wave_tokens = options.max_wave_tokens;
  input.max_batch_tokens = options.max_batch_tokens;
  plan_ = make_plan(input);
}

RunResult Engine::run(std::int64_t first_sequence, const Hooks& hooks, const Console& console) {
  const c10::InferenceMode inference(true);
  MOESCOPE_ASSERT(first_sequence >= range_.begin && first_sequence <= range_.end);
  RunResult result;
  if (first_sequence == range_.end) return result;
  TapSet taps(taps_, checkpoint_.config());
  const std::int64_t first_token = first_token_of(corpus_, range_.begin);
  const std::int64_t n_tokens = first_token_of(corpus_, range_.end) - first_token;
  Progress progress(console, "run", "tokens", n_tokens);
  WaveRunner waves(checkpoint_, {options_.device, options_.dtype, corpus_.context}, plan_, taps);
  Runner runner(checkpoint_.config(), waves, taps.wants_final(), hooks, progress);
  runner.set_done(first_token_of(corpus_, first_sequence) - first_token);
  for (std::int64_t next = first_sequence; next < range_.end;) {
    const Wave wave = next_wave(corpus_, {next, range_.end}, plan_.wave_tokens);
    next = wave.end_sequence;
    runner.run_wave(cut_batches(corpus_, wave, plan_.batch_tokens), wave.n_tokens, next == range_.end);
    machine::synchronize(options_.device);
    ++result.n_waves;
    result.n_tokens += wave.n_tokens;
    hooks.wave_end(next);
  }
  result.seconds = progress.seconds();
  progress.finish();
  taps.check_all_served();
  return result;
}

}  // namespace moescope::engine
