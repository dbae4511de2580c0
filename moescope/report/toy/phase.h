// Phase diagrams of toy models: what becomes of the last feature, over its importance (columns) and the sparsity of all
// features (rows). Cells show the seed with the lowest held-out loss; architectures whose name begins with `published`
// show the seed with the lowest loss of the last batch, as the published maps do.
//
// Class rule (stats/superposition.h): ignored if ||W|| < 0.5, else monosemantic if P^2 < 0.25, else superposed. Panels
// are experts by role (stats/phase.h): role 0 handles the input in which only the last feature is on. phase_by_index
// shows the same cells by the experts' own numbers, and phase_published_colours in the published colours.
//
// Numbers (page.csv), of role 0 unless said: largest_jump (mean of J over S <= 0.65), excess_variation (mean over all
// S), disagreement (of classes of neighbouring cells), disagreement_by_index (of expert 0), dead_expert_cells (share of
// cells with an expert that at most 1% of the non-zero inputs reach), seed_loss_ratio (worst over best held-out loss,
// median over cells). Intervals: seeds drawn anew in every cell, the best taken again, 95% of 200 draws.
#pragma once

#include "moescope/report/toy/page.h"

namespace moescope::report {

void add_phase_maps(const ToyRun& run, ToyPage& page);

}  // namespace moescope::report
