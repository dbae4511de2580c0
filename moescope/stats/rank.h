// Order statistics of small samples: Spearman's rank correlation, and the expected maximum of independent draws.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace moescope::stats {

// Spearman's rho with average ranks for ties; empty for fewer than 3 pairs or where one side is constant. Throws
// nothing; x and y have one length and hold no NaN.
std::optional<double> rank_correlation(std::span<const double> x, std::span<const double> y);

// E[max over groups of a value drawn uniformly from the group], exact; empty groups take no part. Empty if all are
// empty. No NaN.
std::optional<double> expected_max(const std::vector<std::vector<double>>& groups);

}  // namespace moescope::stats
