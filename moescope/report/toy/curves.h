// Curves of toy models: measures against sparsity (features_per_dimension) and against the shape of the mixture
// (sparsity_sweep). Each point is a mean over seeds with its interval.
//
// sparsity_sweep reads families from the names of architectures, FAMILY-LABEL: `width-` (experts of fixed width,
// against E), `active-` (against k), `total-` (fixed E m, against E); all others stand in a figure of their own, one by
// one.
#pragma once

#include "moescope/report/toy/page.h"

namespace moescope::report {

void add_density_curves(const ToyRun& run, ToyPage& page);
void add_sweep_curves(const ToyRun& run, ToyPage& page);

}  // namespace moescope::report
