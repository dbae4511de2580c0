#include "moescope/toy/draws.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "moescope/base/error.h"

namespace moescope::toy {
namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

PhiloxKey key_of(std::uint64_t seed) {
  return {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
}

// Box-Muller; the first uniform number is in (0, 1], so that its logarithm is finite.
double normal(std::uint64_t seed, std::uint64_t parameter_idx) {
  const double u = (draw(seed, Stream::kInitial, 0, 2 * parameter_idx) + 1.0) * 0x1.0p-32;
  const double v = draw(seed, Stream::kInitial, 0, 2 * parameter_idx + 1) * 0x1.0p-32;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

std::vector<float> normals(std::uint64_t seed, std::int64_t first, std::int64_t n, double sd) {
  std::vector<float> values(index(n));
  for (std::int64_t i = 0; i < n; ++i) {
    values[index(i)] = static_cast<float>(sd * normal(seed, static_cast<std::uint64_t>(first + i)));
  }
  return values;
}

// Features in the order of their blocks.
std::vector<std::int64_t> feature_order(const Architecture& a, std::uint64_t seed) {
  std::vector<std::int64_t> order(index(a.n_features));
  std::iota(order.begin(), order.end(), 0);
  if (a.gate_init != GateInit::kShuffledBlocks) return order;
  for (std::int64_t i = a.n_features - 1; i > 0; --i) {
    const std::uint32_t word = draw(seed, Stream::kPartition, 0, static_cast<std::uint64_t>(i));
    std::swap(order[index(i)], order[index(first_in_order(word, i + 1))]);
  }
  return order;
}

std::vector<float> initial_gate(const Architecture& a, std::uint64_t seed) {
  const std::int64_t n = a.n_features, n_experts = a.n_experts;
  std::vector<float> gate(index(n_experts * n), 0.0F);
  switch (a.gate_init) {
    case GateInit::kZero: break;
    case GateInit::kXavier:
      return normals(seed, n_experts * n * (a.n_dims + 1), n_experts * n,
                     std::sqrt(2.0 / static_cast<double>(n + n_experts)));
    case GateInit::kDiagonal:
      for (std::int64_t e = 0; e < std::min(n, n_experts); ++e) gate[index(e * n + e)] = 1;
      break;
    case GateInit::kBlocks:
    case GateInit::kShuffledBlocks: {
      const std::vector<std::int64_t> order = feature_order(a, seed);
      const std::int64_t block = n / n_experts;
      for (std::int64_t i = 0; i < n; ++i) gate[index(i / block * n + order[index(i)])] = 1;
      break;
    }
  }
  return gate;
}

}  // namespace

std::uint32_t draw(std::uint64_t seed, Stream kind, std::uint32_t step, std::uint64_t word_idx) {
  return philox({{static_cast<std::uint32_t>(word_idx / 4), step, static_cast<std::uint32_t>(kind), 0}}, key_of(seed))
      .word[word_idx % 4];
}

InputLayout input_layout(const Architecture& a) {
  InputLayout layout;
  layout.n_features = layout.stride = a.n_features;
  if (a.group_size > 0) {
    layout.group_size = a.group_size;
    layout.n_groups = (a.n_features + a.group_size - 1) / a.group_size;
    layout.copy_share = static_cast<float>(std::sqrt(a.group_correlation));
    layout.copy_begin = layout.stride;
    layout.group_begin = layout.copy_begin + a.n_features;
    layout.stride = layout.group_begin + layout.n_groups;
  }
  if (a.ties == TieRule::kRandom) layout.tie_begin = layout.stride++;
  return layout;
}

std::uint32_t draw_input(const InputLayout& layout, float density, std::uint64_t seed, Stream kind, std::uint32_t step,
                         std::uint64_t sample_idx, std::span<float> x) {
  MOESCOPE_ASSERT(x.size() == index(layout.n_features));
  const PhiloxKey key = key_of(seed);
  PhiloxCounter words = {};
  std::uint64_t block = ~std::uint64_t{0};
  const auto word = [&](std::int64_t i) {
    const std::uint64_t w = sample_idx * static_cast<std::uint64_t>(layout.stride) + static_cast<std::uint64_t>(i);
    if (w / 4 != block) {
      block = w / 4;
      words = philox({{static_cast<std::uint32_t>(block), step, static_cast<std::uint32_t>(kind), 0}}, key);
    }
    return words.word[w % 4];
  };
  const float scale = 1.0F / density;
  for (std::int64_t i = 0; i < layout.n_features; ++i) {
    const float r = uniform_of(word(i));
    x[index(i)] = r < density ? r * scale : 0.0F;
  }
  if (layout.n_groups > 0) {
    for (std::int64_t i = 0; i < layout.n_features; ++i) {
      if (!(uniform_of(word(layout.copy_begin + i)) < layout.copy_share)) continue;
      const bool active = uniform_of(word(layout.group_begin + i / layout.group_size)) < density;
      x[index(i)] = active ? uniform_of(word(i)) : 0.0F;
    }
  }
  return layout.tie_begin > 0 ? word(layout.tie_begin) : 0;
}

Weights initial_weights(const Architecture& a, std::uint64_t seed) {
  const auto n = static_cast<double>(a.n_features), m = static_cast<double>(a.n_dims);
  const auto n_experts = static_cast<double>(a.n_experts);
  const double w_sd = std::sqrt(2.0 / (a.weight_init == WeightInit::kWholeTensor ? (n + n_experts) * m : n + m));
  const std::int64_t n_w = a.n_experts * a.n_features * a.n_dims, n_b = a.n_experts * a.n_features;
  Weights weights;
  weights.w = normals(seed, 0, n_w, w_sd);
  weights.b = a.bias_init == BiasInit::kZero ? std::vector<float>(index(n_b), 0.0F)
                                             : normals(seed, n_w, n_b, std::sqrt(2.0 / (n + n_experts)));
  weights.gate = initial_gate(a, seed);
  return weights;
}

HashKeys hash_keys(const Architecture& a, std::uint64_t seed) {
  HashKeys keys;
  for (std::int64_t i = 0; i < a.n_features + a.n_experts; ++i) {
    const std::uint32_t word = draw(seed, Stream::kHash, 0, static_cast<std::uint64_t>(i));
    (i < a.n_features ? keys.features : keys.experts).push_back(word);
  }
  return keys;
}

}  // namespace moescope::toy
