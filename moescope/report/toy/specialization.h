// Expert specialization of toy models, from specialization.csv (toy/specialization.h) and features.csv:
//   specialization_counts  share of experts by number of monosemantic features, by architecture, both rules
//   specialization_use     how often an expert is reached, by number of own features, under four changes of the input
//   specialization_density the density that an expert sees of its monosemantic, superposed and ignored features
// Numbers (page.csv): mono_C_share, use_C, use_clamped_C, use_clamped_full_C, use_only_C, lift_C (use_clamped / use)
// for C in 1, 2, 3, 4 (4: or more), with _published for the published rule; density_CLASS. Intervals: models drawn
// anew.
#pragma once

#include "moescope/report/toy/page.h"

namespace moescope::report {

void add_specialization(const ToyRun& run, ToyPage& page);

}  // namespace moescope::report
