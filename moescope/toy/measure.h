// The measures of superposition (stats/superposition.h) of a trained toy model, with its held-out use and gains.
#pragma once

#include <vector>

#include "moescope/stats/superposition.h"
#include "moescope/toy/sweep.h"

namespace moescope::toy {

struct InstanceMeasures {
  std::vector<stats::ExpertUse> uses;          // [E]
  std::vector<stats::ExpertMeasures> experts;  // [E]
  stats::ModelMeasures model;
};

// W of expert e as a view of `weights`.
stats::FeatureMatrix expert_matrix(const Architecture& architecture, const Weights& weights, std::int64_t expert);

// Of an instance that did not diverge. Densities are those of the evaluation's inputs.
InstanceMeasures measure(const SweepSettings& settings, const SweepInstance& instance);

}  // namespace moescope::toy
