#include "moescope/stats/clustered.h"

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/stats/bootstrap.h"

namespace moescope::stats {

std::optional<ClusterEstimate> clustered_ratio(std::span<const double> values, std::span<const double> baseline,
                                               std::span<const std::int64_t> cluster, const ClusterOptions& options) {
  if (values.size() != cluster.size() || values.size() != baseline.size()) {
    throw input_error("{} values, {} baselines and {} clusters", values.size(), baseline.size(), cluster.size());
  }
  struct Sums {
    double value = 0, baseline = 0;
  };
  std::map<std::int64_t, Sums> by_cluster;
  Sums all;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i]) || !std::isfinite(baseline[i])) throw input_error("value {} is not finite", i);
    Sums& sums = by_cluster[cluster[i]];
    sums.value += values[i];
    sums.baseline += baseline[i];
    all.value += values[i];
    all.baseline += baseline[i];
  }
  if (values.empty() || all.baseline == 0) return std::nullopt;
  std::vector<double> tops, bottoms;
  for (const auto& [name, sums] : by_cluster) {
    tops.push_back(sums.value);
    bottoms.push_back(sums.baseline);
  }
  ClusterEstimate result;
  result.n_clusters = static_cast<std::int64_t>(by_cluster.size());
  const double value = all.value / all.baseline;
  result.estimate = {value, {value, value}, static_cast<std::int64_t>(values.size())};
  const Resamples resamples(result.n_clusters, options.n_resamples, options.seed);
  std::vector<double> draws = resamples.weighted_sums(tops);
  const std::vector<double> under = resamples.weighted_sums(bottoms);
  for (std::size_t i = 0; i < draws.size(); ++i) {
    draws[i] = under[i] == 0 ? std::numeric_limits<double>::quiet_NaN() : draws[i] / under[i];
  }
  if (const auto interval = interval_of_draws(resamples, draws)) {
    result.estimate.interval = *interval;
    result.has_interval = true;
  }
  return result;
}

std::optional<ClusterEstimate> clustered_mean(std::span<const double> values, std::span<const std::int64_t> cluster,
                                              const ClusterOptions& options) {
  const std::vector<double> ones(values.size(), 1);
  return clustered_ratio(values, ones, cluster, options);
}

}  // namespace moescope::stats
