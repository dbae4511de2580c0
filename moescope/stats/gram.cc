#include "moescope/stats/gram.h"

#include <cmath>
#include <cstring>

// Clang 14 does not take these names, and a sanitizer's start-up code does not survive the choice.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MOESCOPE_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MOESCOPE_VECTOR_CLONES
#endif

namespace moescope::stats {

namespace {
constexpr std::size_t kLanes = 8;   // independent partial sums, so that loops map onto vector registers
constexpr std::size_t kGroup = 32;  // rows that are added to the Gram matrix together: they stay in the nearest cache
constexpr std::size_t kTile = 4;    // columns that share what is loaded of a row

// Read and written with memcpy, for addresses need no alignment.
using Vector = double __attribute__((vector_size(kLanes * sizeof(double))));

// Inlined into each clone.
[[gnu::always_inline]] inline double dot(const double* x, const double* y, std::size_t size) {
  double lanes[kLanes] = {};
  std::size_t j = 0;
  for (; j + kLanes <= size; j += kLanes) {
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += x[j + l] * y[j + l];
  }
  double sum = 0;
  for (; j < size; ++j) sum += x[j] * y[j];
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

MOESCOPE_VECTOR_CLONES
void multiply_rows(const double* rows, std::size_t n_rows, std::size_t stride, const double* x, std::size_t size,
                   double* products) {
  for (std::size_t i = 0; i < n_rows; ++i) products[i] = dot(rows + i * stride, x, size);
}

MOESCOPE_VECTOR_CLONES
void add_weighted_rows(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights,
                       std::size_t size, double* __restrict sum) {
  for (std::size_t i = 0; i < n_rows; ++i) {
    const double* row = rows + i * stride;
    const double weight = weights[i];
    for (std::size_t j = 0; j < size; ++j) sum[j] += weight * row[j];
  }
}

MOESCOPE_VECTOR_CLONES
void add_weighted_gram(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights,
                       std::size_t size, double* __restrict gram) {
  double factor[kTile][kGroup];
  for (std::size_t first = 0; first < n_rows; first += kGroup) {
    const double* group = rows + first * stride;
    const std::size_t n = n_rows - first < kGroup ? n_rows - first : kGroup;
    for (std::size_t a = 0; a < size; a += kTile) {
      for (std::size_t r = 0; r < n; ++r) {
        for (std::size_t t = 0; t < kTile; ++t) factor[t][r] = weights[first + r] * group[r * stride + a + t];
      }
      for (std::size_t b = 0; b < a + kTile; b += kLanes) {
        Vector sums[kTile];
        for (std::size_t t = 0; t < kTile; ++t) std::memcpy(&sums[t], gram + (a + t) * stride + b, sizeof(Vector));
        for (std::size_t r = 0; r < n; ++r) {
          Vector row;
          std::memcpy(&row, group + r * stride + b, sizeof(Vector));
          for (std::size_t t = 0; t < kTile; ++t) sums[t] += factor[t][r] * row;
        }
        for (std::size_t t = 0; t < kTile; ++t) std::memcpy(gram + (a + t) * stride + b, &sums[t], sizeof(Vector));
      }
    }
  }
}

MOESCOPE_VECTOR_CLONES
void add_row(const float* row, std::size_t size, double* __restrict sum) {
  for (std::size_t j = 0; j < size; ++j) sum[j] += static_cast<double>(row[j]);
}

MOESCOPE_VECTOR_CLONES
bool solve_cholesky(double* a, std::size_t size, std::size_t stride, double* rhs) {
  for (std::size_t i = 0; i < size; ++i) {
    double* line = a + i * stride;
    for (std::size_t j = 0; j < i; ++j) line[j] = (line[j] - dot(line, a + j * stride, j)) / a[j * stride + j];
    const double pivot = line[i] - dot(line, line, i);
    if (!(pivot > 0) || !std::isfinite(pivot)) return false;
    line[i] = std::sqrt(pivot);
    rhs[i] = (rhs[i] - dot(line, rhs, i)) / line[i];
  }
  for (std::size_t i = size; i-- > 0;) {
    const double* line = a + i * stride;
    rhs[i] /= line[i];
    for (std::size_t k = 0; k < i; ++k) rhs[k] -= line[k] * rhs[i];
  }
  return true;
}

}  // namespace moescope::stats
