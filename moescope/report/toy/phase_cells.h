// The models of a phase diagram by cell and seed, and maps of them. toy/phase.h says what is shown.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moescope/report/toy/run.h"
#include "moescope/stats/superposition.h"

namespace moescope::report {

// The last feature in one expert of one model.
struct LastFeature {
  stats::FeatureMeasures measures;
  bool is_dead = false;  // at most 1% of the non-zero inputs reach the expert
};

struct PhaseModel {
  double held_out_loss = 0, last_batch_loss = 0;
  std::vector<LastFeature> by_index;         // [E]
  std::vector<std::int64_t> expert_of_role;  // [E]

  const LastFeature& of_role(std::size_t role) const {
    return by_index[static_cast<std::size_t>(expert_of_role[role])];
  }
};

// All models of one architecture. Rows are sparsities rising, columns importances rising.
struct PhaseCells {
  std::vector<double> sparsities, importances;
  std::vector<std::vector<PhaseModel>> models;  // [rows * columns] of the seeds that did not diverge

  std::size_t n_rows() const { return sparsities.size(); }
  std::size_t n_columns() const { return importances.size(); }
};

// Throws kInput if tables and weights do not fit one another.
PhaseCells read_phase_cells(const ToyRun& run, std::size_t architecture);

// The seed of every cell (absent: none) by held-out or last-batch loss.
using Choice = std::vector<std::optional<std::size_t>>;
Choice choose_best(const PhaseCells& cells, bool by_last_batch);
// The best of as many seeds, drawn with replacement.
Choice choose_of_drawn(const PhaseCells& cells, bool by_last_batch, std::uint64_t seed);

struct PhaseNumbers {
  std::optional<double> largest_jump, excess_variation, disagreement, disagreement_by_index, dead_expert_cells;
};
PhaseNumbers phase_numbers(const PhaseCells& cells, const Choice& choice);
// Median over cells of the worst over the best held-out loss.
std::optional<double> seed_loss_ratio(const PhaseCells& cells);

}  // namespace moescope::report
