#include "moescope/stats/interval.h"

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"

namespace moescope::stats {

std::optional<Estimate> wilson_share(std::int64_t n_successes, std::int64_t n) {
  MOESCOPE_ASSERT(n_successes >= 0 && n_successes <= n);
  if (n == 0) return std::nullopt;
  const double count = static_cast<double>(n);
  const double share = static_cast<double>(n_successes) / count;
  const double z2 = kNormalQuantile * kNormalQuantile;
  const double centre = (share + z2 / (2 * count)) / (1 + z2 / count);
  const double half =
      kNormalQuantile / (1 + z2 / count) * std::sqrt(share * (1 - share) / count + z2 / (4 * count * count));
  return Estimate{share, {std::max(0.0, centre - half), std::min(1.0, centre + half)}, n};
}

namespace {

double sorted_quantile(std::span<const double> sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const std::size_t below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = place - static_cast<double>(below);
  return sorted[below] + share * (sorted[above] - sorted[below]);
}

}  // namespace

Interval percentile_interval(std::span<double> draws) {
  MOESCOPE_ASSERT(!draws.empty());
  std::sort(draws.begin(), draws.end());
  return {sorted_quantile(draws, 0.025), sorted_quantile(draws, 0.975)};
}

}  // namespace moescope::stats
