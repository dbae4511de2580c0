// A sweep in a few lines: one row for every architecture and density, over the best seeds of its cells and over all
// seeds.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "moescope/toy/sweep.h"

namespace moescope::toy {

struct SummaryRow {
  std::string architecture;
  double density = 0;
  std::int64_t n_models = 0;
  std::int64_t n_diverged = 0;
  // Means over models that did not diverge; absent without one.
  std::optional<double> held_out_loss;            // all seeds
  std::optional<double> best_held_out_loss;       // the best seed of every cell by held-out loss
  std::optional<double> published_held_out_loss;  // held-out loss of the seed that the authors' rule takes
  std::optional<double> features_explained;       // sum of R2 over features, best seeds by held-out loss
  std::optional<double> gain_corrected;           // features per dimension, the same
};

std::vector<SummaryRow> summarize(const SweepResult& result);
// A table for people; more than kSummaryRows rows are cut and the line says how many.
inline constexpr std::size_t kSummaryRows = 40;
std::string describe(const std::vector<SummaryRow>& rows);
nlohmann::json to_json(const std::vector<SummaryRow>& rows);

}  // namespace moescope::toy
