// L2-regularised logistic regression with balanced class weights, solved to convergence, for up to a few hundred
// columns.
//
// Minimises over coefficients w and intercept b, with s_i = n / (2 n_class(i)) and y_i = +1 or -1,
//   0.5 w'w + C sum_i s_i ln(1 + exp(-y_i (w'x_i + b)))
// the objective of scikit-learn's LogisticRegression(C=C, class_weight="balanced"): the intercept is not penalised. It
// is strictly convex, so there is one optimum, also for separable data. Newton's method with step halving and Cholesky;
// because the Hessian is at least the identity, |w - optimum| is bounded by the Newton decrement.
// Non-goals: sparse columns, other penalties, more than two classes, standardising.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace moescope::stats {

struct LogisticOptions {
  double c = 1;             // weight of the data against the penalty, > 0
  bool balanced = true;     // false: s_i = 1
  double tolerance = 1e-5;  // bound of |w - optimum| before the last step, which squares what is left
  std::int32_t max_steps = 100;
};

enum class FitStatus {
  kOk,
  kOneClass,      // only positives or only negatives (or nothing): no fit exists
  kNotFinite,     // a NaN or an infinity among the columns
  kNotConverged,  // tolerance not reached within max_steps; the coefficients are the best so far
};
const char* status_word(FitStatus status);  // "ok", "one_class", "not_finite", "not_converged"

struct LogisticFit {
  FitStatus status = FitStatus::kOk;
  std::vector<double> coefficients;  // empty for kOneClass and kNotFinite
  double intercept = 0;
  std::int32_t n_steps = 0;

  // > 0: predicted positive. `row` holds at least as many columns as there are coefficients.
  double decision(std::span<const float> row) const;
};

// A sample with its columns gathered once. Owns its memory; immutable, safe to share between threads.
class LogisticSample {
 public:
  // columns: [labels.size(), n_columns] f32, row by row; labels: 0 or 1.
  LogisticSample(std::span<const float> columns, std::int32_t n_columns, std::span<const std::uint8_t> labels);

  std::int32_t n_columns() const { return n_columns_; }
  std::int64_t n_rows() const { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t n_positive() const { return n_positive_; }
  bool is_finite() const { return is_finite_; }

  // The fit on the first `width` columns, 0 <= width <= n_columns. `start` (may be null) is a fit on fewer columns: the
  // optimum is the same, found in fewer steps.
  LogisticFit fit(std::int32_t width, const LogisticOptions& options, const LogisticFit* start = nullptr) const;

 private:
  friend class NewtonSolver;
  std::int32_t n_columns_ = 0, stride_ = 0;
  std::int64_t n_positive_ = 0;
  bool is_finite_ = true;
  std::vector<double> rows_;  // [n_rows, stride]: 1, columns, zeros
  std::vector<std::uint8_t> labels_;
};

}  // namespace moescope::stats
