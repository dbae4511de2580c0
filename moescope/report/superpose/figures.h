// Figures of `moescope superpose` from its summary.csv:
//   superposition         by set of features: mean dimensionality and features per effective dimension, model beside
//   null
//                         models, with intervals over experts
//   superposition_layers  mean dimensionality by layer
#pragma once

#include <filesystem>

namespace moescope::report {

// Throws kInput for a summary.csv that is missing or damaged, kEnvironment without gnuplot.
void draw_superpose_figures(const std::filesystem::path& folder);

}  // namespace moescope::report
