#include "moescope/train/trainer.h"

#include <c10/core/GradMode.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/machine/device.h"
#include "moescope/train/data.h"
#include "moescope/train/objective.h"
#include "moescope/train/parameters.h"
#include "moescope/train/train_files.h"

namespace moescope::train {
namespace {

model::ModelConfig model_config(const TrainSettings& settings, const TrainingText& text) {
  const ModelSettings& wanted = settings.model;
  model::ModelConfig config;
  config.family = "olmoe";
  config.d_model = wanted.d_model;
  config.d_expert = wanted.d_expert;
  config.d_vocab = text.vocab_size;
  config.n_layers = wanted.n_layers;
  config.n_ctx = wanted.n_ctx;
  config.tie_embeddings = wanted.tie_embeddings;
  config.attention.n_heads = wanted.n_heads;
  config.attention.n_kv_heads = wanted.n_heads;
  config.attention.d_head = wanted.n_heads > 0 ? wanted.d_model / wanted.n_heads : 0;
  config.attention.qk_norm = model::QkNorm::kWhole;
  config.attention.rope.theta = wanted.rope_theta;
  config.attention.rope.d_rotary = config.attention.d_head;
  config.router.n_experts = wanted.n_experts;
  config.router.n_experts_per_token = wanted.n_experts_per_token;
  config.router.renormalize = wanted.renormalize;
  if (text.eos_id >= 0) config.eos_token_ids = {text.eos_id};
  // The same checks that a config.json from elsewhere goes through.
  return model::parse_config(model::find_family(config.family).write_config(config));
}

void check(const TrainSettings& settings) {
  check_options(settings);
  machine::parse_device(settings.machine.device);
  if (settings.batch_sequences % settings.micro_sequences != 0) {
    throw usage_error("{} {} is not a multiple of {} {}", option_name("batch-sequences"), settings.batch_sequences,
                      option_name("micro-sequences"), settings.micro_sequences);
  }
}

class Trainer {
 public:
  Trainer(const TrainSettings& settings, const Console& console)
      : settings_(settings),
        console_(console),
        device_(machine::parse_device(settings.machine.device)),
        dtype_(machine::parse_dtype(settings.dtype)),
        text_(load_training_text(settings, console)),
        parameters_(Parameters::init(model_config(settings, text_), settings.model, settings.seed, device_)),
        optimizer_(parameters_.all(), settings.optimizer) {
    if (load_state(settings_, parameters_, optimizer_, log_)) {
      console_.line(fmt::format("going on at step {} of {}", optimizer_.n_steps(), settings_.n_steps));
    }
  }

  TrainResult run() {
    const auto start = std::chrono::steady_clock::now();
    const double seconds_before = log_.seconds;
    const auto elapsed = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    Progress progress(console_, "train", "tokens", settings_.n_steps * tokens_a_step());
    progress.update(optimizer_.n_steps() * tokens_a_step());
    bool out_of_time = false;
    while (optimizer_.n_steps() < settings_.n_steps && !out_of_time) {
      const TrainRow row = step();
      log_.train.push_back(row);
      progress.update(row.n_tokens, fmt::format("loss {:.3f}", row.loss));
      const std::int64_t done = optimizer_.n_steps();
      const bool last = done == settings_.n_steps;
      out_of_time = settings_.max_minutes > 0 && elapsed() > 60 * settings_.max_minutes;
      const bool stop = last || out_of_time || interrupted() != 0;
      if (last || done % settings_.validate_every == 0) report_validation(progress);
      log_.seconds = seconds_before + elapsed();
      if (stop || done % settings_.save_every == 0) save_all(settings_, parameters_, optimizer_, log_, text_);
      throw_if_interrupted("the state is saved; the same command goes on");
    }
    progress.finish();
    TrainResult result;
    result.n_steps = optimizer_.n_steps();
    result.n_tokens = result.n_steps * tokens_a_step();
    result.seconds = log_.seconds;
    result.finished = result.n_steps >= settings_.n_steps;
    if (!log_.validation.empty()) result.validation = log_.validation.back();
    return result;
  }

 private:
  std::int64_t tokens_a_step() const { return settings_.batch_sequences * settings_.model.n_ctx; }

  TrainRow step() {
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t step_idx = optimizer_.n_steps();
    const std::int64_t n_passes = settings_.batch_sequences / settings_.micro_sequences;
    TrainRow row;
    for (std::int64_t pass = 0; pass < n_passes; ++pass) {
      const std::int64_t first = step_idx * settings_.batch_sequences + pass * settings_.micro_sequences;
      const at::Tensor tokens = training_batch(text_.train, first, settings_.micro_sequences, settings_.model.n_ctx,
                                               static_cast<std::uint64_t>(settings_.seed), device_);
      const Objective loss =
          objective(parameters_.as_model(dtype_), tokens, settings_.load_balance_coef, settings_.router_z_coef);
      const auto share = 1.0 / static_cast<double>(n_passes);
      (loss.total * share).backward();
      row.loss += loss.cross_entropy.item<double>() * share;
      row.load_balance += loss.load_balance.item<double>() * share;
      row.router_z += loss.router_z.item<double>() * share;
    }
    row.lr = settings_.optimizer.lr *
             lr_scale(step_idx, settings_.n_steps, settings_.optimizer.warmup_steps, settings_.optimizer.min_lr_frac);
    row.grad_norm = optimizer_.step(row.lr);
    row.step = optimizer_.n_steps();
    row.n_tokens = row.step * tokens_a_step();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    row.tokens_per_s = static_cast<double>(tokens_a_step()) / seconds.count();
    return row;
  }

  void report_validation(const Progress& progress) {
    ValidationRow row;
    row.step = optimizer_.n_steps();
    row.n_tokens = row.step * tokens_a_step();
    row.loss = validation_loss();
    row.perplexity = std::exp(row.loss);
    log_.validation.push_back(row);
    console_.line(fmt::format("step {}: validation loss {:.4f}, perplexity {:.2f}, {} tokens/s", row.step, row.loss,
                              row.perplexity, with_thousands(static_cast<std::int64_t>(progress.rate()))));
  }

  // Mean over the first validation_sequences sequences of one fixed order of the held-out stream.
  double validation_loss() const {
    const c10::NoGradGuard no_grad;
    const model::LanguageModel model = parameters_.as_model(dtype_);
    const std::int64_t n_positions = settings_.model.n_ctx;
    const std::int64_t n_all = std::min(settings_.validation_sequences, (text_.validation.size(0) - 1) / n_positions);
    double sum = 0;
    for (std::int64_t first = 0; first < n_all; first += settings_.micro_sequences) {
      const std::int64_t count = std::min(settings_.micro_sequences, n_all - first);
      const at::Tensor tokens = training_batch(text_.validation, first, count, n_positions, 0, device_);
      sum += objective(model, tokens, 0, 0).cross_entropy.item<double>() * static_cast<double>(count);
    }
    return sum / static_cast<double>(n_all);
  }

  const TrainSettings& settings_;
  const Console& console_;
  at::Device device_;
  at::ScalarType dtype_;
  TrainingText text_;
  Parameters parameters_;
  AdamW optimizer_;
  TrainLog log_;
};

}  // namespace

TrainResult train(const TrainSettings& settings, const Console& console) {
  check(settings);
  return Trainer(settings, console).run();
}

}  // namespace moescope::train
