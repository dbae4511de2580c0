// What was measured, as tables: one row an expert, set and variant, and means over experts with intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/analysis/superpose/geometry.h"
#include "moescope/io/table.h"

namespace moescope::analysis::superpose {

// `variant`: "model", or a null model (sets.h), then a mean over draws.
struct ExpertRow {
  std::int64_t layer = 0, expert = 0;
  double share = 0;  // of the layer's routing decisions; a layer sums to 1
  std::string set, variant;
  SetMeasures measures;
  std::int64_t n_left_out = 0;  // classes with too few tokens in the expert
};

// Means of measures over draws; a measure that a draw lacks is averaged over the others.
SetMeasures mean_of(const std::vector<SetMeasures>& draws);

// layer, expert, share, set, variant, n_features, n_dims, n_zero, n_left_out, the measures, status ("ok",
// "no_features").
io::Table expert_table(const std::vector<ExpertRow>& rows);

// Mean over experts weighted by their share, with a 95% interval from resampling experts. `against`: absent for plain
// values; a null model for the paired difference model - null.
struct Summary {
  std::optional<std::int64_t> layer;  // absent: all layers, each with the same weight
  std::string set, variant, against;
  Measure measure = Measure::kRepresentedPerDim;
  double value = 0;
  std::optional<double> low, high;  // absent for fewer than 5 experts
  std::int64_t n_experts = 0;
};
std::vector<Summary> summarize(const std::vector<ExpertRow>& rows, std::int64_t n_resamples, std::uint64_t seed);
// layer, set, variant, against, measure, value, low, high, n_experts, status ("ok", "too_few").
io::Table summary_table(const std::vector<Summary>& summaries);

}  // namespace moescope::analysis::superpose
