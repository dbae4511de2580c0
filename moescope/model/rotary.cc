// Rotary positions and their scalings. Formulas: Su et al. 2021 (arXiv 2104.09864, equation 15); YaRN (arXiv
// 2309.00071, section 3); Llama 3.1's as its config.json names the factors. Float32 throughout, in the order of
// transformers' modeling_rope_utils.py, so that angles at late positions equal its own.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "moescope/model/blocks.h"

namespace moescope::model {
namespace {

// Share of each pair's frequency that stays as it was, 0 to 1. [d_rotary / 2]
at::Tensor yarn_kept_share(const RopeConfig& rope) {
  const auto d = static_cast<double>(rope.d_rotary);
  const auto dimension = [&](double n_rotations) {
    return d * std::log(static_cast<double>(rope.n_original_ctx) / (n_rotations * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(rope.theta));
  };
  double low = dimension(rope.beta_fast), high = dimension(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, d - 1.0);
  if (low == high) high += 0.001;
  const at::Tensor pair = at::arange(rope.d_rotary / 2, at::TensorOptions().dtype(at::kFloat));
  return 1.0 - ((pair - low) / (high - low)).clamp(0, 1);
}

at::Tensor llama3_frequencies(const RopeConfig& rope, const at::Tensor& frequency) {
  const auto n_ctx = static_cast<double>(rope.n_original_ctx);
  const at::Tensor wavelength = 2.0 * std::numbers::pi / frequency;
  const double longest_kept = n_ctx / rope.high_freq_factor, shortest_divided = n_ctx / rope.low_freq_factor;
  const at::Tensor divided = at::where(wavelength > shortest_divided, frequency / rope.factor, frequency);
  const at::Tensor smooth =
      (n_ctx / wavelength - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  const at::Tensor blended = (1.0 - smooth) * divided / rope.factor + smooth * divided;
  const at::Tensor between = at::logical_and(wavelength >= longest_kept, wavelength <= shortest_divided);
  return at::where(between, blended, divided);
}

// Radians a position, [d_rotary / 2].
at::Tensor frequencies(const RopeConfig& rope) {
  const at::Tensor exponent =
      at::arange(0, rope.d_rotary, 2, at::TensorOptions().dtype(at::kFloat)) / static_cast<double>(rope.d_rotary);
  const at::Tensor power = at::pow(rope.theta, exponent);
  switch (rope.scaling) {
    case RopeScaling::kNone: return 1.0 / power;
    case RopeScaling::kLinear: return 1.0 / power / rope.factor;
    case RopeScaling::kLlama3: return llama3_frequencies(rope, 1.0 / power);
    case RopeScaling::kYarn: {
      const at::Tensor kept = yarn_kept_share(rope);
      return 1.0 / (rope.factor * power) * (1.0 - kept) + 1.0 / power * kept;
    }
  }
  return {};
}

}  // namespace

RotaryTable make_rotary_table(const AttentionConfig& config, std::int64_t n_positions, at::ScalarType dtype,
                              at::Device device) {
  RotaryTable table;
  table.n_positions = n_positions;
  if (config.rope.d_rotary == 0) return table;
  const at::Tensor positions = at::arange(n_positions, at::TensorOptions().dtype(at::kFloat));
  const at::Tensor angle = at::outer(positions, frequencies(config.rope));
  const at::Tensor both = config.rope.interleaved ? angle.repeat_interleave(2, 1) : at::cat({angle, angle}, -1);
  table.cos = (both.cos() * config.rope.attention_factor).to(device, dtype);
  table.sin = (both.sin() * config.rope.attention_factor).to(device, dtype);
  return table;
}

}  // namespace moescope::model
