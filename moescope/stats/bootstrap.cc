#include "moescope/stats/bootstrap.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "moescope/base/error.h"
#include "moescope/base/random.h"

namespace moescope::stats {

Resamples::Resamples(std::int64_t n_units, std::int64_t n_resamples, std::uint64_t seed)
    : n_units_(n_units),
      n_resamples_(n_resamples),
      weights_(static_cast<std::size_t>(n_units) * static_cast<std::size_t>(n_resamples), 0.0f) {
  for (std::int64_t r = 0; r < n_resamples; ++r) {
    Random random(hash64(seed, static_cast<std::uint64_t>(r)));
    for (std::int64_t i = 0; i < n_units; ++i) {
      const std::uint64_t unit = random.below(static_cast<std::uint64_t>(n_units));
      weights_[unit * static_cast<std::size_t>(n_resamples) + static_cast<std::size_t>(r)] += 1.0f;
    }
  }
}

std::span<const float> Resamples::of_unit(std::int64_t unit_idx) const {
  return {weights_.data() + unit_idx * n_resamples_, static_cast<std::size_t>(n_resamples_)};
}

std::vector<double> Resamples::weighted_sums(std::span<const double> values) const {
  MOESCOPE_ASSERT(static_cast<std::int64_t>(values.size()) == n_units_);
  std::vector<double> sums(static_cast<std::size_t>(n_resamples_), 0.0);
  for (std::int64_t u = 0; u < n_units_; ++u) {
    const double value = values[static_cast<std::size_t>(u)];
    if (value == 0) continue;
    const float* weights = of_unit(u).data();
    for (std::size_t r = 0; r < sums.size(); ++r) sums[r] += value * static_cast<double>(weights[r]);
  }
  return sums;
}

std::optional<double> f1_score(double n_hits, double n_predicted, double n_positive) {
  const double both = n_predicted + n_positive;
  if (both <= 0) return std::nullopt;
  return 2 * n_hits / both;
}

std::vector<double> f1_draws(const Resamples& resamples, const UnitCounts& counts, std::span<const double> n_positive) {
  std::vector<double> hits = resamples.weighted_sums(counts.n_hits);
  const std::vector<double> predicted = resamples.weighted_sums(counts.n_predicted);
  const std::vector<double> positive = resamples.weighted_sums(n_positive);
  for (std::size_t r = 0; r < hits.size(); ++r) {
    hits[r] = f1_score(hits[r], predicted[r], positive[r]).value_or(std::numeric_limits<double>::quiet_NaN());
  }
  return hits;
}

std::optional<Interval> interval_of_draws(const Resamples& resamples, std::vector<double> draws) {
  if (resamples.n_units() < kMinUnits || draws.empty()) return std::nullopt;
  const std::size_t n_all = draws.size();
  std::erase_if(draws, [](double x) { return std::isnan(x); });
  if (static_cast<double>(draws.size()) < 0.95 * static_cast<double>(n_all)) return std::nullopt;
  return percentile_interval(draws);
}

std::optional<Estimate> bootstrap_mean(std::span<const double> values, std::int64_t n_resamples, std::uint64_t seed) {
  if (values.empty()) return std::nullopt;
  const double n = static_cast<double>(values.size());
  Estimate estimate;
  estimate.n = static_cast<std::int64_t>(values.size());
  estimate.value = std::accumulate(values.begin(), values.end(), 0.0) / n;
  const Resamples resamples(estimate.n, n_resamples, seed);
  std::vector<double> means = resamples.weighted_sums(values);
  for (double& mean : means) mean /= n;
  estimate.interval = percentile_interval(means);
  return estimate;
}

}  // namespace moescope::stats
