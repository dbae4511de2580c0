#include "moescope/stats/phase.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moescope/base/error.h"

namespace moescope::stats {

std::optional<double> largest_jump(Cells row) {
  std::optional<double> largest;
  for (std::size_t i = 1; i < row.size(); ++i) {
    if (row[i] && row[i - 1]) largest = std::max(largest.value_or(0), std::abs(*row[i] - *row[i - 1]));
  }
  return largest;
}

std::optional<double> excess_variation(Cells row) {
  std::optional<double> first, last;
  double variation = 0;
  std::size_t n = 0;
  for (const std::optional<double>& value : row) {
    if (!value) continue;
    if (last) variation += std::abs(*value - *last);
    if (!first) first = value;
    last = value;
    ++n;
  }
  if (n < 2) return std::nullopt;
  return variation - std::abs(*last - *first);
}

std::optional<double> neighbour_disagreement(std::span<const std::optional<FeatureClass>> classes, std::int64_t n_rows,
                                             std::int64_t n_columns) {
  if (n_rows < 0 || n_columns < 0 ||
      (n_columns > 0 && classes.size() / static_cast<std::size_t>(n_columns) != static_cast<std::size_t>(n_rows)) ||
      classes.size() != static_cast<std::size_t>(n_rows) * static_cast<std::size_t>(n_columns)) {
    throw input_error("{} cells, expected {} x {}", classes.size(), n_rows, n_columns);
  }
  const auto columns = static_cast<std::size_t>(n_columns);
  std::size_t n_pairs = 0, n_different = 0;
  const auto compare = [&](std::size_t a, std::size_t b) {
    if (!classes[a] || !classes[b]) return;
    ++n_pairs;
    n_different += *classes[a] != *classes[b] ? 1 : 0;
  };
  for (std::size_t cell = 0; cell < classes.size(); ++cell) {
    if ((cell + 1) % columns != 0) compare(cell, cell + 1);
    if (cell + columns < classes.size()) compare(cell, cell + columns);
  }
  if (n_pairs == 0) return std::nullopt;
  return static_cast<double>(n_different) / static_cast<double>(n_pairs);
}

std::vector<std::int64_t> experts_by_role(std::span<const float> gate, std::int64_t n_experts, std::int64_t n_features,
                                          std::int64_t feature) {
  if (n_experts < 1 || n_features < 1 || gate.size() % static_cast<std::size_t>(n_features) != 0 ||
      gate.size() / static_cast<std::size_t>(n_features) != static_cast<std::size_t>(n_experts)) {
    throw input_error("a gate of {} values, expected {} x {}", gate.size(), n_experts, n_features);
  }
  if (feature < 0 || feature >= n_features) throw input_error("feature {} of {}", feature, n_features);
  const auto score = [&](std::int64_t e) { return gate[static_cast<std::size_t>(e * n_features + feature)]; };
  std::vector<std::int64_t> experts(static_cast<std::size_t>(n_experts));
  std::iota(experts.begin(), experts.end(), 0);
  for (const std::int64_t e : experts) {
    if (!std::isfinite(score(e))) throw input_error("gate [{}, {}] is not finite", e, feature);
  }
  std::stable_sort(experts.begin(), experts.end(), [&](std::int64_t a, std::int64_t b) { return score(a) > score(b); });
  return experts;
}

Color phase_color(double norm, double score_with_self, double largest_norm, double largest_score) {
  for (const double value : {norm, score_with_self, largest_norm, largest_score}) {
    if (!(value >= 0) || !std::isfinite(value)) throw input_error("a norm or score of {}", value);
  }
  const double y = std::min(1.0, norm / (largest_norm > 0 ? largest_norm : 1));
  const double x = std::min(1.0, score_with_self / (largest_score > 0 ? largest_score : 1));
  return {y * x + 1 - y, 1 - y, y * (1 - x) + 1 - y};
}

}  // namespace moescope::stats
