// Intervals by resampling documents with replacement (Efron 1979; percentile intervals).
//
// Tokens of one document are not independent, so documents are the units that are drawn: a resample gives each unit a
// weight (how often it was drawn), and a statistic of sums (F1, precision) is computed from the weighted sums. All
// scorers of one comparison use the same weights, so their differences are paired.
// Does not correct for bias or for a handful of units: below kMinUnits an interval is not given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "moescope/stats/interval.h"

namespace moescope::stats {

inline constexpr std::int64_t kMinUnits = 5;

// How often each unit is drawn in each resample. Immutable; safe to share between threads.
class Resamples {
 public:
  Resamples(std::int64_t n_units, std::int64_t n_resamples, std::uint64_t seed);

  std::int64_t n_units() const { return n_units_; }
  std::int64_t n_resamples() const { return n_resamples_; }
  // [n_resamples] f32: weights of one unit in every resample (small whole numbers).
  std::span<const float> of_unit(std::int64_t unit_idx) const;

  // [n_resamples] f64: sum over units of weight * value. `values`: [n_units].
  std::vector<double> weighted_sums(std::span<const double> values) const;

 private:
  std::int64_t n_units_, n_resamples_;
  std::vector<float> weights_;  // [n_units, n_resamples]
};

// What a yes-or-no scorer did, as sums by unit. All spans have one length; fn follows from n_positive - n_hits.
struct UnitCounts {
  std::vector<double> n_hits;       // true positives
  std::vector<double> n_predicted;  // true and false positives
};

// F1 = 2 hits / (predicted + positive); empty where nothing is positive and nothing was predicted.
std::optional<double> f1_score(double n_hits, double n_predicted, double n_positive);

// F1 of one scorer in every resample. A resample without any positive or predicted item has no F1: NaN.
std::vector<double> f1_draws(const Resamples& resamples, const UnitCounts& counts, std::span<const double> n_positive);

// Percentile interval of draws that may hold NaN (left out). Empty where under 95 percent of the draws exist or the
// units are fewer than kMinUnits.
std::optional<Interval> interval_of_draws(const Resamples& resamples, std::vector<double> draws);

// Mean of `values` with an interval from resampling them; empty for no values, no interval spread for one.
std::optional<Estimate> bootstrap_mean(std::span<const double> values, std::int64_t n_resamples, std::uint64_t seed);

}  // namespace moescope::stats
