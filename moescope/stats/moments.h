// Mean and variance of a stream of numbers in one pass, mergeable: a value a thread or a wave, merged at the end.
//
// Formula: Welford (1962) for one value, Chan, Golub, LeVeque (1979) for merging. float64 throughout.
// Does not keep the values; for intervals see bootstrap.h. Not thread-safe.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace moescope::stats {

class Moments {
 public:
  void add(double x) {
    ++n_;
    const double delta = x - mean_;
    mean_ += delta / static_cast<double>(n_);
    sum_squares_ += delta * (x - mean_);
  }

  void merge(const Moments& other) {
    if (other.n_ == 0) return;
    const double n = static_cast<double>(n_), m = static_cast<double>(other.n_);
    const double delta = other.mean_ - mean_;
    sum_squares_ += other.sum_squares_ + delta * delta * n * m / (n + m);
    mean_ += delta * m / (n + m);
    n_ += other.n_;
  }

  std::int64_t n() const { return n_; }
  // Quiet NaN where there are too few values: 1 for the mean, 2 for the (unbiased) variance.
  double mean() const { return n_ > 0 ? mean_ : kMissing; }
  double variance() const { return n_ > 1 ? sum_squares_ / static_cast<double>(n_ - 1) : kMissing; }
  double standard_deviation() const { return std::sqrt(variance()); }
  double standard_error() const { return std::sqrt(variance() / static_cast<double>(n_)); }

 private:
  static constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
  std::int64_t n_ = 0;
  double mean_ = 0, sum_squares_ = 0;
};

}  // namespace moescope::stats
