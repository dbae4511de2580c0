#include "moescope/engine/plan.h"

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/base/progress.h"

namespace moescope::engine {
namespace {

// Sizes at which matrix products run near their best and beyond which memory buys nothing.
constexpr std::int64_t kBestBatchTokens = 16384;
constexpr std::int64_t kBestAttentionTokens = 4096;
// Waves are long when layers stream from disk (their reading is paid once a wave) and shorter when they stay: a killed
// run loses at most one wave.
constexpr std::int64_t kStreamedWaveTokens = 131072;
constexpr std::int64_t kResidentWaveTokens = 32768;
constexpr std::uint64_t kLogitBytes = 128u << 20;
// Scratch of the matrix library (packed weights, threads' buffers) and of the allocator, seen in measurements.
constexpr std::uint64_t kScratchBytes = 160u << 20;
// An expert may get this many times its fair share of a batch's tokens before the estimate is too small.
constexpr double kLoadSkew = 6.0;

struct PerToken {
  std::uint64_t wave, attention, batch, logits;
};

PerToken per_token(const PlanInput& input) {
  const model::ModelConfig& config = input.config;
  const auto e = static_cast<double>(input.element_bytes);
  const auto d = static_cast<double>(config.d_model);
  const auto q = static_cast<double>(config.attention.n_heads * config.attention.d_head);
  const auto n_experts = static_cast<double>(config.router.n_experts);
  const auto k = static_cast<double>(config.router.n_experts_per_token);
  const auto f = static_cast<double>(config.d_expert);
  const double share = std::min(1.0, kLoadSkew * k / n_experts);  // of a batch's tokens in one expert
  PerToken bytes{};
  bytes.wave = static_cast<std::uint64_t>(e * d);
  // Norm: input, three float32 temporaries and the result. Attention: q, k, v, their rotated copies, the result.
  bytes.attention = static_cast<std::uint64_t>(12 * std::max(d, q) + e * (3 * d + 9 * q));
  const double norm = 12 * d + 2 * e * d;
  const double router = e * d + 4 * d + n_experts * (4 + 4 + 4 + 8) + k * 32;
  const double experts = e * d + 4 * d + k * 24 + n_experts * 8 + share * (2 * e * d + 4 * e * f);
  const double sum = 4 * d + 4 * e * d;
  bytes.batch =
      static_cast<std::uint64_t>(std::max({norm, router, experts, sum})) + 64 + input.taps.bytes_per_batch_token;
  bytes.logits = static_cast<std::uint64_t>(config.d_vocab) * (static_cast<std::uint64_t>(input.element_bytes) + 8);
  return bytes;
}

std::uint64_t times(std::int64_t n, std::uint64_t bytes) { return static_cast<std::uint64_t>(n) * bytes; }

}  // namespace

MemoryPlan make_plan(const PlanInput& input) {
  const PerToken bytes = per_token(input);
  const auto n_layers = static_cast<std::uint64_t>(input.config.n_layers);
  MemoryPlan plan;
  plan.resident_bytes = input.resident_bytes;
  plan.tap_bytes = input.taps_on_device ? input.taps.fixed_bytes : 0;
  const auto set_batch = [&](std::int64_t n_tokens) {
    plan.batch_tokens = std::max(n_tokens, input.context);
    plan.attention_tokens = std::max(std::min(plan.batch_tokens, kBestAttentionTokens), input.context);
    plan.logit_rows =
        input.losses ? std::max<std::int64_t>(1, static_cast<std::int64_t>(kLogitBytes / bytes.logits)) : 0;
    plan.logit_rows = std::min(plan.logit_rows, plan.batch_tokens);
    plan.batch_bytes =
        kScratchBytes + std::max({times(plan.batch_tokens, bytes.batch), times(plan.attention_tokens, bytes.attention),
                                  times(plan.logit_rows, bytes.logits)});
  };
  const auto set_wave = [&](std::int64_t n_tokens) {
    plan.wave_tokens = std::max(n_tokens, plan.batch_tokens);
    plan.wave_bytes = times(plan.wave_tokens, bytes.wave + 80);  // the residual, and what a Batch keeps of a token
  };
  const auto fits = [&] { return plan.total_bytes() <= input.budget_bytes; };
  const auto set_weights = [&](bool keep) {
    plan.keep_layers = keep || n_layers <= 2;
    plan.weight_bytes = input.embedding_bytes + (plan.keep_layers ? n_layers : 2) * input.layer_bytes;
  };

  const std::int64_t longest = std::max(input.context, std::min(input.n_tokens, kStreamedWaveTokens));
  const std::int64_t best_batch = input.max_batch_tokens > 0 ? input.max_batch_tokens : kBestBatchTokens;
  set_batch(std::min(best_batch, longest));
  set_wave(plan.batch_tokens);
  set_weights(true);
  if (!fits()) set_weights(false);
  // A smaller batch before giving up; each expert still gets as many rows as there are.
  while (!fits() && plan.batch_tokens > input.context) {
    set_batch(plan.batch_tokens / 2);
    set_wave(plan.batch_tokens);
  }
  if (!fits()) {
    throw input_error("a memory budget of {} is too small: {} are needed for one sequence",
                      format_bytes(input.budget_bytes), format_bytes(plan.total_bytes()))
        .hint("raise option 'memory' or lower option 'context'");
  }
  const std::uint64_t left = input.budget_bytes - plan.total_bytes() + plan.wave_bytes;
  const std::int64_t most = input.max_wave_tokens > 0 ? input.max_wave_tokens
                            : plan.keep_layers        ? kResidentWaveTokens
                                                      : kStreamedWaveTokens;
  set_wave(std::min({most, longest, static_cast<std::int64_t>(left / (bytes.wave + 80))}));
  if (input.max_wave_tokens > 0 && input.max_wave_tokens < plan.batch_tokens) {
    set_batch(input.max_wave_tokens);
    set_wave(plan.batch_tokens);
  }
  return plan;
}

}  // namespace moescope::engine
