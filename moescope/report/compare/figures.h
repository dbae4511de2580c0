// The figures of a comparison, after figures 1-4 and 8-10 of "The Expert Strikes Back" (arXiv 2604.02178):
//   curves               mean best-layer F1 against k, the three aggregates
//   curves_by_category   the best of all experts, one panel a category of concepts
//   concept_scatter      concept by concept, every model against the first
//   sparsity             mean F1 against the share of parameters that are active
//   experts_per_concept  how many experts come within 95% of the best of their layer
//   curves_normalised    against k / mean active neurons
//   controls             best expert beside select-then-test, shuffled labels and size-matched subsets
// A figure for which nothing is known is left out, with a note.
#pragma once

#include <string>
#include <vector>

#include "moescope/plot/figure.h"
#include "moescope/report/compare/tables.h"

namespace moescope::report {

std::vector<plot::Figure> compare_figures(const std::vector<ComparedModel>& models,
                                          const std::vector<ModelMeasure>& measures, const CompareOptions& options,
                                          std::vector<std::string>& notes);

}  // namespace moescope::report
