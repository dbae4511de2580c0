#include "moescope/stats/logistic.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"
#include "moescope/stats/gram.h"

namespace moescope::stats {

namespace {

constexpr std::int32_t kRowMultiple = 8;  // rows are padded with zeros, as add_weighted_gram() asks for

using Eigen::Index;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

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
        n_rows_(sample.n_rows()),
        size_(width + 1),
        rows_(sample.rows_.data(), n_rows_, size_, Eigen::OuterStride<>(sample.stride_)),
        beta_(Vector::Zero(size_)),
        gradient_(size_),
        hessian_((size_ + 3) / 4 * 4, sample.stride_),
        curvature_(n_rows_),
        scores_(n_rows_),
        exponentials_(n_rows_) {
    const auto n = static_cast<double>(n_rows_), n_positive = static_cast<double>(sample.n_positive_);
    weight_[0] = options.c * (options.balanced ? n / (2 * (n - n_positive)) : 1);
    weight_[1] = options.c * (options.balanced ? n / (2 * n_positive) : 1);
  }

  void start_at(const LogisticFit& fit) {
    beta_[0] = fit.intercept;
    const Index n = std::min(static_cast<Index>(fit.coefficients.size()), size_ - 1);
    beta_.segment(1, n) = Eigen::Map<const Vector>(fit.coefficients.data(), n);
  }

  LogisticFit solve() {
    LogisticFit fit;
    fit.status = FitStatus::kNotConverged;
    double value = objective(beta_);
    for (; fit.n_steps < options_.max_steps && fit.status != FitStatus::kOk; ++fit.n_steps) {
      differentiate();
      Eigen::Ref<Matrix> hessian = hessian_.topLeftCorner(size_, size_);
      const Eigen::LLT<Eigen::Ref<Matrix>, Eigen::Lower> factor(hessian);  // in place
      if (factor.info() != Eigen::Success) break;  // all weights underflowed: beta is far from any optimum
      const Vector step = factor.solve(gradient_);
      const double decrement = step.dot(gradient_);
      if (decrement <= options_.tolerance * options_.tolerance) fit.status = FitStatus::kOk;
      value = descend(step, decrement, value);
    }
    fit.intercept = beta_[0];
    fit.coefficients.assign(beta_.begin() + 1, beta_.end());
    return fit;
  }

 private:
  std::uint8_t label(Index i) const { return sample_.labels_[static_cast<std::size_t>(i)]; }

  // The objective at beta; leaves the rows' scores z and exp(-|z|) behind.
  double objective(const Vector& beta) {
    scores_.noalias() = rows_ * beta;
    LogSum logs[2];             // by label
    double linear[2] = {0, 0};  // ln(1 + exp(z)) = max(z, 0) + ln(1 + exp(-|z|)), z against the label
    for (Index i = 0; i < n_rows_; ++i) {
      exponentials_[i] = std::exp(-std::abs(scores_[i]));
      logs[label(i)].add(exponentials_[i]);
      linear[label(i)] += std::max(0.0, label(i) != 0 ? -scores_[i] : scores_[i]);
    }
    return 0.5 * beta.tail(size_ - 1).squaredNorm() + weight_[0] * (linear[0] + logs[0].total()) +
           weight_[1] * (linear[1] + logs[1].total());
  }

  // Gradient and Hessian at beta_, from what the last objective() left.
  void differentiate() {
    for (Index i = 0; i < n_rows_; ++i) {
      // P(positive) and P(negative), each to full precision: far from the border 1 - p would be lost in rounding.
      const double large = 1 / (1 + exponentials_[i]), small = exponentials_[i] * large;
      const double p = scores_[i] >= 0 ? large : small, q = scores_[i] >= 0 ? small : large;
      const double weight = weight_[label(i)];
      curvature_[i] = weight * large * small;
      scores_[i] = label(i) != 0 ? -weight * q : weight * p;
    }
    gradient_ = beta_;
    gradient_[0] = 0;
    gradient_.noalias() += rows_.transpose() * scores_;
    hessian_.setZero();
    hessian_.diagonal().segment(1, size_ - 1).setOnes();
    const auto size = [](Index n) { return static_cast<std::size_t>(n); };
    add_weighted_gram(rows_.data(), size(n_rows_), size(rows_.outerStride()), curvature_.data(), size(size_),
                      hessian_.data());
  }

  // Goes along -step as far as the objective falls; close to the optimum, where its fall drowns in rounding, all the
  // way.
  double descend(const Vector& step, double decrement, double value) {
    constexpr double kEnoughFall = 1e-4, kRounding = 1e-11;
    constexpr int kMaxHalvings = 60;
    Vector candidate(size_);
    double length = 1, next = value;
    for (int halving = 0; halving < kMaxHalvings; ++halving, length /= 2) {
      candidate = beta_ - length * step;
      next = objective(candidate);
      if (next <= value - kEnoughFall * length * decrement || decrement <= kRounding * std::max(1.0, value)) break;
    }
    beta_ = std::move(candidate);
    return next;
  }

  const LogisticSample& sample_;
  const LogisticOptions& options_;
  Index n_rows_, size_;
  Eigen::Map<const Matrix, 0, Eigen::OuterStride<>> rows_;  // [n_rows, size]
  double weight_[2] = {};                                   // by label
  Vector beta_, gradient_;
  Matrix hessian_;  // the lower triangle of [size, size]
  Vector curvature_, scores_, exponentials_;
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
