#include "moescope/engine/engine.h"

#include <algorithm>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/engine/layer_source.h"
#include "moescope/engine/loss.h"
#include "moescope/engine/memory.h"
#include "moescope/engine/tap_set.h"
#include "moescope/machine/device.h"
#include "moescope/model/blocks.h"

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

// Everything one run holds: weights, the residual of the wave, where it stands.
class Runner {
 public:
  Runner(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, const EngineOptions& options,
         const MemoryPlan& plan, TapSet& taps, const Engine::Hooks& hooks, Progress& progress)
      : config_(checkpoint.config()),
        corpus_(corpus),
        options_(options),
        plan_(plan),
        taps_(taps),
        hooks_(hooks),
        progress_(progress),
        embeddings_(checkpoint.embeddings(options.dtype, options.device)),
        layers_(checkpoint, options.dtype, options.device, plan.keep_layers),
        rotary_(model::make_rotary_table(config_.attention, corpus.context, options.dtype, options.device)) {}

  void run_wave(const Wave& wave, bool is_last) {
    const std::vector<Batch> batches = cut_batches(corpus_, wave, plan_.batch_tokens);
    at::Tensor residual = at::empty({wave.n_tokens, config_.d_model}, embeddings_.token_embedding.options());
    for (const Batch& batch : batches) {
      const at::Tensor ids = at::tensor(batch.token_ids, at::kInt).to(options_.device);
      const at::Tensor rows = rows_of(residual, batch);
      for (const EqualLengths& run : batch.lengths) {
        const std::int64_t n = run.n_sequences * run.n_positions;
        const at::Tensor sequences = ids.narrow(0, run.first_row, n).view({run.n_sequences, run.n_positions});
        rows.narrow(0, run.first_row, n).copy_(model::embed(embeddings_, sequences).view({n, -1}));
      }
    }
    for (std::int64_t layer = 0; layer < config_.n_layers; ++layer) {
      const bool goes_on = layer + 1 < config_.n_layers || !is_last;
      const std::optional<std::int64_t> next = goes_on ? std::optional((layer + 1) % config_.n_layers) : std::nullopt;
      const model::LayerWeights& weights = layers_.take(layer, next);
      for (const Batch& batch : batches) {
        run_layer(layer, weights, batch, rows_of(residual, batch));
        step(batch, wave);
      }
    }
    for (const Batch& batch : batches) {
      if (!taps_.wants_final()) break;
      taps_.losses(batch, next_token_losses(config_, embeddings_, rows_of(residual, batch), batch, plan_.logit_rows));
      step(batch, wave);
    }
    n_done_ += wave.n_tokens;
    n_steps_ = 0;
    progress_.update(n_done_);
  }

  void set_done(std::int64_t n_tokens) { n_done_ = n_tokens; }

 private:
  static at::Tensor rows_of(const at::Tensor& residual, const Batch& batch) {
    return residual.narrow(0, batch.first_row, batch.n_tokens);
  }

  // x [N, D], rows of the wave's residual, changed in place.
  void run_layer(std::int64_t layer, const model::LayerWeights& weights, const Batch& batch, const at::Tensor& x) {
    const LayerView view{layer, batch};
    model::LayerObserver* observer = taps_.observe(view);
    if (observer != nullptr) observer->on_residual(x);
    const at::Tensor entering = config_.order == model::LayerOrder::kParallel ? x.clone() : x;
    for (const EqualLengths& run : batch.lengths) attend(layer, weights, run, x);
    x.copy_(model::feed_forward_sublayer(config_, layer, weights, entering, x, observer));
    taps_.layer_end(view);
  }

  // Attention of sequences of one length, as many at a time as the plan's temporaries allow.
  void attend(std::int64_t layer, const model::LayerWeights& weights, const EqualLengths& run, const at::Tensor& x) {
    const std::int64_t at_a_time = std::max<std::int64_t>(1, plan_.attention_tokens / run.n_positions);
    for (std::int64_t done = 0; done < run.n_sequences; done += at_a_time) {
      const std::int64_t count = std::min(at_a_time, run.n_sequences - done);
      at::Tensor part = x.narrow(0, run.first_row + done * run.n_positions, count * run.n_positions)
                            .view({count, run.n_positions, config_.d_model});
      part.copy_(model::attention_sublayer(config_, layer, weights, part, rotary_));
    }
  }

  // Progress in tokens: a wave counts by the share of its (layer, batch) steps that are done.
  void step(const Batch& batch, const Wave& wave) {
    n_steps_ += batch.n_tokens;
    const std::int64_t n_passes = config_.n_layers + (taps_.wants_final() ? 1 : 0);
    if (n_steps_ < n_passes * wave.n_tokens) {
      progress_.update(n_done_ + n_steps_ / n_passes);
      hooks_.between_batches();
    }
  }

  const model::ModelConfig& config_;
  const text::TokenCorpus& corpus_;
  const EngineOptions& options_;
  const MemoryPlan& plan_;
  TapSet& taps_;
  const Engine::Hooks& hooks_;
  Progress& progress_;
  model::EmbeddingWeights embeddings_;
  LayerSource layers_;
  model::RotaryTable rotary_;
  std::int64_t n_done_ = 0, n_steps_ = 0;
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
  Runner runner(checkpoint_, corpus_, options_, plan_, taps, hooks, progress);
  const std::int64_t n_before = first_token_of(corpus_, first_sequence) - first_token;
  runner.set_done(n_before);
  progress.update(n_before);
  for (std::int64_t next = first_sequence; next < range_.end;) {
    const Wave wave = next_wave(corpus_, {next, range_.end}, plan_.wave_tokens);
    next = wave.end_sequence;
    runner.run_wave(wave, next == range_.end);
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
