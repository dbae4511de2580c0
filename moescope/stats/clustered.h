// Means and ratios of values that come in clusters (experts of one model), with intervals from resampling clusters: the
// values of one cluster are not independent. Percentile bootstrap, 95%, as bootstrap.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "moescope/stats/interval.h"

namespace moescope::stats {

struct ClusterOptions {
  std::int64_t n_resamples = 2000;
  std::uint64_t seed = 1;
};

// Estimate whose interval is missing (low = high = value) is told apart by has_interval: fewer than kMinUnits clusters.
struct ClusterEstimate {
  Estimate estimate;  // n: values
  std::int64_t n_clusters = 0;
  bool has_interval = false;
};

// Mean of values; cluster [n] names each value's cluster (any whole numbers). Absent without values. Throws kInput for
// sizes that differ and values that are not finite.
std::optional<ClusterEstimate> clustered_mean(std::span<const double> values, std::span<const std::int64_t> cluster,
                                              const ClusterOptions& options = {});
// Mean of `values` / mean of `baseline` (both [n]): the lift. Absent without values or where the baseline's sum is 0.
std::optional<ClusterEstimate> clustered_ratio(std::span<const double> values, std::span<const double> baseline,
                                               std::span<const std::int64_t> cluster,
                                               const ClusterOptions& options = {});

}  // namespace moescope::stats
