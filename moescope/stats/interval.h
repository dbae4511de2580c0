// An estimate with its 95 percent interval and its n: the form in which every number leaves the program.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace moescope::stats {

struct Interval {
  double low = 0;
  double high = 0;
};

struct Estimate {
  double value = 0;
  Interval interval;
  std::int64_t n = 0;  // what was counted or averaged
};

// Two-sided normal quantile of a 95 percent interval.
inline constexpr double kNormalQuantile = 1.959963984540054;

// Share of successes with Wilson's (1927) score interval; empty where n is 0. 0 <= n_successes <= n.
std::optional<Estimate> wilson_share(std::int64_t n_successes, std::int64_t n);

// The 2.5 and 97.5 percent points of `draws` (linear interpolation between order statistics, as numpy's default).
// Sorts `draws`. Needs at least one draw, none of them NaN.
Interval percentile_interval(std::span<double> draws);

}  // namespace moescope::stats
