#include "moescope/stats/logistic.h"

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"
#include "moescope/stats/gram.h"

namespace moescope::stats {

namespace {

constexpr std::int32_t kRowMultiple = 8;  // rows are padded with zeros, so that loops map onto vector registers

// Sum of weight * ln(1 + e) for e in [0, 1], with one logarithm for many numbers: a product of 1 + e <= 2 stays finite.
class LogSum {
 public:
  void add(double e) {
    product_ *= 1 + e;
    if (++n_ == kMaxFactors) flush();
    // What 1 + e rounds away is as small as the rest of the sum's rounding: below 2^-53 each.
  }
  double total() {
    flush();
    return sum_;
  }

 private:
  static constexpr int kMaxFactors = 512;
  void flush() {
    sum_ += std::log(product_);
    product_ = 1;
    n_ = 0;
  }
  double product_ = 1, sum_ = 0;
  int n_ = 0;
};

}  // namespace

const char* status_word(FitStatus status) {
  switch (status) {
    case FitStatus::kOk: return "ok";
    case FitStatus::kOneClass: return "one_class";
    case FitStatus::kNotFinite: return "not_finite";
    case FitStatus::kNotConverged: return "not_converged";
  }
  return "";
}

double LogisticFit::decision(std::span<const float> row) const {
  double z = intercept;
  for (std::size_t i = 0; i < coefficients.size(); ++i) z += coefficients[i] * static_cast<double>(row[i]);
  return z;
}

LogisticSample::LogisticSample(std::span<const float> columns, std::int32_t n_columns,
                               std::span<const std::uint8_t> labels)
    : n_columns_(n_columns),
      stride_((n_columns + kRowMultiple) / kRowMultiple * kRowMultiple),
      rows_(labels.size() * static_cast<std::size_t>(stride_), 0.0),
      labels_(labels.begin(), labels.end()) {
  const auto width = static_cast<std::size_t>(n_columns);
  MOESCOPE_ASSERT(columns.size() == labels.size() * width);
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    double* row = rows_.data() + i * static_cast<std::size_t>(stride_);
    row[0] = 1;
    for (std::size_t j = 0; j < width; ++j) {
      row[j + 1] = static_cast<double>(columns[i * width + j]);
      is_finite_ = is_finite_ && std::isfinite(row[j + 1]);
    }
    n_positive_ += labels_[i];
  }
}

// Solves for the vector (b, w_1, ..., w_width). One use.
class NewtonSolver {
 public:
  NewtonSolver(const LogisticSample& sample, std::int32_t width, const LogisticOptions& options)
      : sample_(sample),
        options_(options),
        n_rows_(sample.labels_.size()),
        stride_(static_cast<std::size_t>(sample.stride_)),
        size_(static_cast<std::size_t>(width) + 1),
        beta_(size_, 0.0),
        gradient_(size_),
        hessian_((size_ + 3) / 4 * 4 * stride_),
        curvature_(n_rows_),
        scores_(n_rows_),
        exponentials_(n_rows_) {
    const auto n = static_cast<double>(n_rows_), n_positive = static_cast<double>(sample.n_positive_);
    weight_[0] = options.c * (options.balanced ? n / (2 * (n - n_positive)) : 1);
    weight_[1] = options.c * (options.balanced ? n / (2 * n_positive) : 1);
  }

  void start_at(const LogisticFit& fit) {
    beta_[0] = fit.intercept;
    std::copy_n(fit.coefficients.begin(), std::min(fit.coefficients.size(), size_ - 1), beta_.begin() + 1);
  }

  LogisticFit solve() {
    LogisticFit fit;
    fit.status = FitStatus::kNotConverged;
    double value = objective(beta_);
    for (; fit.n_steps < options_.max_steps && fit.status != FitStatus::kOk; ++fit.n_steps) {
      differentiate();
      std::vector<double> step = gradient_;
      if (!solve_cholesky(hessian_.data(), size_, stride_, step.data()))
        break;  // all weights underflowed: beta is far from any optimum
      double decrement = 0;
      for (std::size_t i = 0; i < size_; ++i) decrement += step[i] * gradient_[i];
      if (decrement <= options_.tolerance * options_.tolerance) fit.status = FitStatus::kOk;
      value = descend(step, decrement, value);
    }
    fit.intercept = beta_[0];
    fit.coefficients.assign(beta_.begin() + 1, beta_.end());
    return fit;
  }

 private:
  const double* row(std::size_t i) const { return sample_.rows_.data() + i * stride_; }

  // The objective at beta; leaves the rows' scores z and exp(-|z|) behind.
  double objective(const std::vector<double>& beta) {
    double sum = 0;
    for (std::size_t j = 1; j < size_; ++j) sum += 0.5 * beta[j] * beta[j];
    multiply_rows(sample_.rows_.data(), n_rows_, stride_, beta.data(), size_, scores_.data());
    LogSum logs[2];             // by label
    double linear[2] = {0, 0};  // ln(1 + exp(z)) = max(z, 0) + ln(1 + exp(-|z|)), z against the label
    for (std::size_t i = 0; i < n_rows_; ++i) {
      const std::uint8_t label = sample_.labels_[i];
      exponentials_[i] = std::exp(-std::abs(scores_[i]));
      logs[label].add(exponentials_[i]);
      linear[label] += std::max(0.0, label != 0 ? -scores_[i] : scores_[i]);
    }
    return sum + weight_[0] * (linear[0] + logs[0].total()) + weight_[1] * (linear[1] + logs[1].total());
  }

  // Gradient and Hessian at beta_, from what the last objective() left.
  void differentiate() {
    std::copy(beta_.begin(), beta_.end(), gradient_.begin());
    gradient_[0] = 0;
    for (std::size_t i = 0; i < n_rows_; ++i) {
      // P(positive) and P(negative), each to full precision: far from the border 1 - p would be lost in rounding.
      const double large = 1 / (1 + exponentials_[i]), small = exponentials_[i] * large;
      const double p = scores_[i] >= 0 ? large : small, q = scores_[i] >= 0 ? small : large;
      const double weight = weight_[sample_.labels_[i]];
      curvature_[i] = weight * large * small;
      scores_[i] = sample_.labels_[i] != 0 ? -weight * q : weight * p;
    }
    add_weighted_rows(sample_.rows_.data(), n_rows_, stride_, scores_.data(), size_, gradient_.data());
    std::fill(hessian_.begin(), hessian_.end(), 0.0);
    for (std::size_t j = 1; j < size_; ++j) hessian_[j * stride_ + j] = 1;
    add_weighted_gram(sample_.rows_.data(), n_rows_, stride_, curvature_.data(), size_, hessian_.data());
  }

  // Goes along -step as far as the objective falls; close to the optimum, where its fall drowns in rounding, all the
  // way.
  double descend(const std::vector<double>& step, double decrement, double value) {
    constexpr double kEnoughFall = 1e-4, kRounding = 1e-11;
    constexpr int kMaxHalvings = 60;
    std::vector<double> candidate(size_);
    double length = 1, next = value;
    for (int halving = 0; halving < kMaxHalvings; ++halving, length /= 2) {
      for (std::size_t j = 0; j < size_; ++j) candidate[j] = beta_[j] - length * step[j];
      next = objective(candidate);
      if (next <= value - kEnoughFall * length * decrement || decrement <= kRounding * std::max(1.0, value)) break;
    }
    beta_ = std::move(candidate);
    return next;
  }

  const LogisticSample& sample_;
  const LogisticOptions& options_;
  std::size_t n_rows_, stride_, size_;
  double weight_[2] = {};  // by label
  std::vector<double> beta_, gradient_, hessian_, curvature_, scores_, exponentials_;
};

LogisticFit LogisticSample::fit(std::int32_t width, const LogisticOptions& options, const LogisticFit* start) const {
  MOESCOPE_ASSERT(width >= 0 && width <= n_columns_ && options.c > 0);
  LogisticFit fit;
  if (n_positive_ == 0 || n_positive_ == n_rows()) {
    fit.status = FitStatus::kOneClass;
    return fit;
  }
  if (!is_finite_) {
    fit.status = FitStatus::kNotFinite;
    return fit;
  }
  NewtonSolver solver(*this, width, options);
  if (start != nullptr) solver.start_at(*start);
  return solver.solve();
}

}  // namespace moescope::stats
