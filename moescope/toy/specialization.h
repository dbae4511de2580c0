// What attracts the experts of a trained toy model: how often each is reached when its own monosemantic features are
// changed. Table 1 of arXiv 2510.23671, with the density that the published code used by mistake beside the right one.
//
// For each expert with c >= 1 monosemantic features (its "own"), the share of held-out inputs that reach it
//   use            unchanged, at the density of training
//   use_clamped    own features set to 1 in otherwise random inputs, at the density of training
//   use_clamped_full   the same at density 1: what the published numbers are
//   use_only       own features on with one shared value U[0,1), all others 0
// Own features are counted by this project's rule (norm as used above 0.5, P < 0.2, an expert in use) and by the
// published one (P < 0.2, whatever the norm); both have their columns.
#pragma once

#include <filesystem>

#include "moescope/toy/sweep.h"

namespace moescope::toy {

// Writes OUT/specialization.csv, one row an instance and expert: instance, architecture, density, replicate, expert,
// status (as experts.csv), use, n_own, use_clamped, use_clamped_full, use_only, and n_own_published with the same three
// shares. Shares are empty for experts without own features.
void write_specialization(const SweepResult& result, const std::filesystem::path& out, int n_threads);

}  // namespace moescope::toy
