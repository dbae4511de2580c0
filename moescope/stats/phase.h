// Maps of one feature over many toy models: rows are feature sparsities S, columns importances I of the last feature,
// row-major, one panel an expert. What the published phase diagrams show by eye, as numbers.
//
// Cells without a number (a model that diverged, an expert that does not exist there) are absent and never counted.
// Source: arXiv 2510.23671 and its code.
// Non-goals: choosing the seed of a cell, drawing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "moescope/stats/superposition.h"

namespace moescope::stats {

using Cells = std::span<const std::optional<double>>;

// J(S) of one row: the largest |difference| of ||W_last|| between two neighbours along I. Absent for fewer than two
// neighbouring numbers. Norms of a clean phase change go 0 -> 1, so J is near 1 for a jump and 0 for a slow slide.
std::optional<double> largest_jump(Cells row);
// Sum of |differences| between neighbours less |last - first|: 0 for a monotone row, noise otherwise. Over the cells
// that have a number; absent for fewer than two.
std::optional<double> excess_variation(Cells row);

// Share of pairs of neighbouring cells (right and below) whose classes differ, in [0, 1]: 0.667 expected of three
// classes drawn at random with equal odds. Absent without a pair. Throws kInput unless there are n_rows x n_columns.
std::optional<double> neighbour_disagreement(std::span<const std::optional<FeatureClass>> classes, std::int64_t n_rows,
                                             std::int64_t n_columns);

// Experts of independently trained models have no common numbering. Role r in a cell is the expert with the r-th
// largest router score for the input in which only `feature` is on: role 0 handles it. gate [E, n] row-major; ties to
// the lower index. Returns the expert index of every role, [E]. Throws kInput for sizes that do not fit.
std::vector<std::int64_t> experts_by_role(std::span<const float> gate, std::int64_t n_experts, std::int64_t n_features,
                                          std::int64_t feature);

// The published colour: y = norm / largest norm of the panel, x = score (with self) / largest score of the panel;
// (R, G, B) = (yx + 1 - y, 1 - y, y (1 - x) + 1 - y), each in [0, 1]: white ignored, blue monosemantic, red superposed.
// Because of the panel maxima equal cells of two panels may differ in colour. Maxima of 0 count as 1. Throws kInput for
// numbers below 0 or not finite; values above the maximum are one.
struct Color {
  double red = 0, green = 0, blue = 0;
};
Color phase_color(double norm, double score_with_self, double largest_norm, double largest_score);

}  // namespace moescope::stats
