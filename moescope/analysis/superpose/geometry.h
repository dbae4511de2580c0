// How a set of feature vectors shares the dimensions it lies in: the measures of stats/superposition.h by matrix
// products, and the null models they are read against.
//
// Rows stand for features, columns for hidden dimensions, as W [n, m] of the toy models. Weights of language models
// have no natural scale (in the toy models norm 1 means "put back"), so only numbers that do not change when all rows
// are multiplied by one factor are taken, and a row counts as represented if its norm is above half the root mean
// square.
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace moescope::analysis::superpose {

// Of one set of rows; numbered, so that tables and summaries are written from one list.
enum class Measure {
  kRepresentedPerDim,           // #{i: norm_i > rms / 2} / m
  kEffectiveDimsFrac,           // r / min(n, m), r = (sum s^2)^2 / sum s^4 over singular values s: 1 for a tight frame
  kRepresentedPerEffectiveDim,  // #{represented} / r: the features-per-dimension of the dimensions really in use
  kMeanDimensionality,          // mean D_i over represented rows; D_i in (0, 1], stats/superposition.h
  kStrongestDimensionality,     // mean D_i over the tenth of rows with the largest norms (at least one)
  kOwnDimensionFrac,            // share of represented rows with D_i > 0.8 (P_i^2 < norm_i^2 / 4: "monosemantic")
  kDensityRank,                 // Spearman's rho over represented rows of D_i and how much denser the feature is here
};
inline constexpr std::size_t kMeasures = 7;
const char* measure_word(Measure measure);

inline constexpr double kRepresentedShareOfRms = 0.5;
inline constexpr double kOwnDimension = 0.8;

struct SetMeasures {
  std::int64_t n_rows = 0, n_dims = 0;
  std::int64_t n_zero = 0;                              // rows without a direction: in no mean
  std::array<std::optional<double>, kMeasures> values;  // by Measure; absent: no rows, or too few for a correlation
  const std::optional<double>& at(Measure measure) const { return values[static_cast<std::size_t>(measure)]; }
  std::optional<double>& at(Measure measure) { return values[static_cast<std::size_t>(measure)]; }
};

// [n] f64 each, on the CPU. Rows shorter than 1e-6 of the root mean square are zero: dimensionality NaN, the rest 0.
struct RowMeasures {
  at::Tensor norm, interference_squared, dimensionality;
};
// rows [n, m] f32 or f64, n, m > 0, finite (throws kInput otherwise).
RowMeasures measure_rows(const at::Tensor& rows);

// `density`: [n] how much denser each row's feature is in this expert than over all (any monotone scale), or empty.
SetMeasures measure_set(const at::Tensor& rows, std::span<const double> density = {});

// Rows of the same norms in uniformly random directions, from the seed alone.
at::Tensor random_directions(const at::Tensor& rows, std::uint64_t seed);
// A random permutation of [0, n) i64, from the seed alone.
at::Tensor random_order(std::int64_t n, std::uint64_t seed);

}  // namespace moescope::analysis::superpose
