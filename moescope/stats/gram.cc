#include "moescope/stats/gram.h"

#include <cmath>

// Clang 14 does not take these names, and a sanitizer's start-up code does not survive the choice.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define MOESCOPE_VECTOR_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define MOESCOPE_VECTOR_CLONES
#endif

namespace moescope::stats {

namespace {
constexpr std::size_t kGroup = 8;  // rows that are added to the Gram matrix together
}

MOESCOPE_VECTOR_CLONES
void multiply_rows(const double* rows, std::size_t n_rows, std::size_t stride, const double* x, std::size_t size,
                   double* products) {
  constexpr std::size_t kLanes = 8;
  for (std::size_t i = 0; i < n_rows; ++i) {
    const double* row = rows + i * stride;
    double lanes[kLanes] = {};
    std::size_t j = 0;
    for (; j + kLanes <= size; j += kLanes) {
      for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += row[j + l] * x[j + l];
    }
    double sum = 0;
    for (; j < size; ++j) sum += row[j] * x[j];
    for (const double lane : lanes) sum += lane;
    products[i] = sum;
  }
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
  std::size_t i = 0;
  for (; i + kGroup <= n_rows; i += kGroup) {
    const double* group = rows + i * stride;
    for (std::size_t a = 0; a < size; ++a) {
      double factor[kGroup];
      for (std::size_t r = 0; r < kGroup; ++r) factor[r] = weights[i + r] * group[r * stride + a];
      double* __restrict line = gram + a * size;
      for (std::size_t b = 0; b <= a; ++b) {
        double sum = 0;
        for (std::size_t r = 0; r < kGroup; ++r) sum += factor[r] * group[r * stride + b];
        line[b] += sum;
      }
    }
  }
  for (; i < n_rows; ++i) {
    const double* row = rows + i * stride;
    for (std::size_t a = 0; a < size; ++a) {
      const double factor = weights[i] * row[a];
      for (std::size_t b = 0; b <= a; ++b) gram[a * size + b] += factor * row[b];
    }
  }
}

bool solve_cholesky(std::vector<double>& a, std::size_t size, std::vector<double>& rhs) {
  for (std::size_t j = 0; j < size; ++j) {
    for (std::size_t i = j; i < size; ++i) {
      double sum = a[i * size + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * size + k] * a[j * size + k];
      if (i == j) {
        if (!(sum > 0) || !std::isfinite(sum)) return false;
        a[j * size + j] = std::sqrt(sum);
      } else {
        a[i * size + j] = sum / a[j * size + j];
      }
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t k = 0; k < i; ++k) rhs[i] -= a[i * size + k] * rhs[k];
    rhs[i] /= a[i * size + i];
  }
  for (std::size_t i = size; i-- > 0;) {
    for (std::size_t k = i + 1; k < size; ++k) rhs[i] -= a[k * size + i] * rhs[k];
    rhs[i] /= a[i * size + i];
  }
  return true;
}

}  // namespace moescope::stats
