#include "moescope/record/row_kernels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace moescope::record {
namespace {

constexpr std::int64_t kLanes = 16;        // independent partial sums, so that the loop maps onto vector registers
constexpr std::int64_t kRowsPerTask = 64;  // smaller tasks cost more than they balance
constexpr float kShareOfLargest = 0.1F;

template <typename T>
float square_sum(const T* x, std::int64_t n) {
  float sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) {
      const auto value = static_cast<float>(x[i + k]);
      sums[k] += value * value;
    }
  }
  float total = 0;
  for (; i < n; ++i) total += static_cast<float>(x[i]) * static_cast<float>(x[i]);
  for (const float sum : sums) total += sum;
  return total;
}

template <typename T>
void norms_cpu(const at::Tensor& x, std::vector<float>& norms) {
  const T* data = x.const_data_ptr<T>();
  const std::int64_t width = x.size(1);
  at::parallel_for(0, x.size(0), kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      norms[static_cast<std::size_t>(i)] = std::sqrt(square_sum(data + i * width, width));
    }
  });
}

template <typename T>
NeuronActivity row_activity(const T* x, std::int64_t n) {
  float largest[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t k = 0; k < kLanes; ++k) {
      const float value = std::abs(static_cast<float>(x[i + k]));
      largest[k] = value > largest[k] ? value : largest[k];
    }
  }
  float most = *std::max_element(largest, largest + kLanes);
  for (; i < n; ++i) most = std::max(most, std::abs(static_cast<float>(x[i])));
  const float bound = kShareOfLargest * most;
  std::int32_t n_nonzero = 0, n_above = 0;
  for (i = 0; i < n; ++i) {
    const float value = std::abs(static_cast<float>(x[i]));
    n_nonzero += value > 0 ? 1 : 0;
    n_above += value > bound ? 1 : 0;
  }
  return {n_nonzero, n_above};
}

template <typename T>
NeuronActivity activity_cpu(const at::Tensor& neurons) {
  const T* data = neurons.const_data_ptr<T>();
  const std::int64_t width = neurons.size(1);
  std::vector<NeuronActivity> rows(static_cast<std::size_t>(neurons.size(0)));
  at::parallel_for(0, neurons.size(0), kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      rows[static_cast<std::size_t>(i)] = row_activity(data + i * width, width);
    }
  });
  NeuronActivity sum;
  for (const NeuronActivity& row : rows) {
    sum.n_nonzero += row.n_nonzero;
    sum.n_above_01 += row.n_above_01;
  }
  return sum;
}

}  // namespace

float round_score(float score) {
  constexpr std::uint32_t kDropped = 24 - 14;  // of a float's 24 significant bits
  constexpr std::uint32_t kHalf = 1U << (kDropped - 1), kKept = ~((1U << kDropped) - 1);
  if (!std::isfinite(score)) return score;
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(score) + kHalf) & kKept);  // carries into the exponent
}

std::vector<float> row_norms(const at::Tensor& x) {
  std::vector<float> norms(static_cast<std::size_t>(x.size(0)));
  const bool on_cpu = x.is_cpu() && x.is_contiguous();
  if (on_cpu && x.scalar_type() == at::kFloat) {
    norms_cpu<float>(x, norms);
  } else if (on_cpu && x.scalar_type() == at::kBFloat16) {
    norms_cpu<at::BFloat16>(x, norms);
  } else {
    const at::Tensor result = at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, false, at::kFloat).cpu().contiguous();
    std::copy_n(result.const_data_ptr<float>(), norms.size(), norms.begin());
  }
  return norms;
}

NeuronActivity neuron_activity(const at::Tensor& neurons) {
  const bool on_cpu = neurons.is_cpu() && neurons.is_contiguous();
  if (on_cpu && neurons.scalar_type() == at::kFloat) return activity_cpu<float>(neurons);
  if (on_cpu && neurons.scalar_type() == at::kBFloat16) return activity_cpu<at::BFloat16>(neurons);
  const at::Tensor size = neurons.abs().to(at::kFloat);
  const at::Tensor bound = size.amax(1, true) * kShareOfLargest;
  return {size.gt(0).sum().item<std::int64_t>(), size.gt(bound).sum().item<std::int64_t>()};
}

}  // namespace moescope::record
