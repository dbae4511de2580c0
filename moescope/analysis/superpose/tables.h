// What was measured, as tables: one row an expert, set and variant, and means over experts with intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/analysis/superpose/geometry.h"
#include "moescope/model/config.h"
#include "moescope/run/superpose_files.h"

namespace moescope::analysis::superpose {

// `variant`: "model", or a null model (sets.h), then a mean over draws.
struct MeasuredSet {
  std::int64_t layer = 0, expert = 0;
  double share = 0;  // of the layer's routing decisions; a layer sums to 1
  std::string set, variant;
  SetMeasures measures;
  std::int64_t n_left_out = 0;  // classes with too few tokens in the expert
};

// Means of measures over draws; a measure that a draw lacks is averaged over the others.
SetMeasures mean_of(const std::vector<SetMeasures>& draws);

// The rows of superposition.csv.
std::vector<run::SuperpositionRow> expert_rows(const std::vector<MeasuredSet>& rows, const model::ModelConfig& config);

// Means over experts weighted by their share, with a 95% interval from resampling experts, for each layer and for all
// layers together; plain values, and the paired differences model - null.
std::vector<run::SuperpositionSummaryRow> summarize(const std::vector<MeasuredSet>& rows, std::int64_t n_resamples,
                                                    std::uint64_t seed);

}  // namespace moescope::analysis::superpose
