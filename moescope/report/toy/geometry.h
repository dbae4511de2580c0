// The geometry of single toy models: for every architecture the seed with the lowest held-out loss, at the first
// density of the sweep.
//   gram_NAME      W W^T of every expert ("W^T W" in the paper's layout), colours -1 to 1, a line behind feature m
//   norms_NAME     ||W_i|| by feature as bars, coloured by interference P_i, a line behind feature m
//   arrows_NAME    feature vectors in the plane, for m = 2, coloured by P_i
// Numbers (page.csv): features_explained, n_monosemantic_distinct, fpd_published, held_out_loss: means over seeds.
#pragma once

#include "moescope/report/toy/page.h"

namespace moescope::report {

void add_geometry(const ToyRun& run, ToyPage& page);

}  // namespace moescope::report
