#include "moescope/analysis/superpose/geometry.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/stats/rank.h"

namespace moescope::analysis::superpose {

namespace {

constexpr double kZeroShareOfRms = 1e-6;
constexpr double kStrongestShare = 0.1;
constexpr double kTau = 6.283185307179586;

std::vector<double> to_vector(const at::Tensor& values) {
  const at::Tensor flat = values.to(at::kCPU, at::kDouble).contiguous();
  const auto* begin = flat.const_data_ptr<double>();
  return {begin, begin + flat.numel()};
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// (sum s^2)^2 / sum s^4 over the singular values of rows: traces of the smaller Gram matrix.
double effective_dims(const at::Tensor& rows) {
  const at::Tensor gram = rows.size(0) < rows.size(1) ? at::mm(rows, rows.t()) : at::mm(rows.t(), rows);
  const double squares = gram.diagonal().to(at::kDouble).sum().item<double>();
  const double fourths = gram.to(at::kDouble).square().sum().item<double>();
  return squares * squares / fourths;
}

}  // namespace

const char* measure_word(Measure measure) {
  constexpr std::array kWords = {"represented_per_dim", "effective_dims_frac",      "represented_per_effective_dim",
                                 "mean_dimensionality", "strongest_dimensionality", "own_dimension_frac",
                                 "density_rank"};
  static_assert(kWords.size() == kMeasures);
  return kWords[static_cast<std::size_t>(measure)];
}

RowMeasures measure_rows(const at::Tensor& rows) {
  if (rows.dim() != 2 || rows.size(0) < 1 || rows.size(1) < 1) {
    throw input_error("feature vectors of {} dimensions, expected rows and columns", rows.dim());
  }
  if (!at::isfinite(rows).all().item<bool>()) throw input_error("a feature vector holds NaN or infinity");
  const at::Tensor squared = rows.square().sum(1, false, at::kDouble);  // [n]
  const at::Tensor norm = squared.sqrt();
  const double rms = std::sqrt(squared.mean().item<double>());
  const at::Tensor is_zero = norm <= rms * kZeroShareOfRms;
  const at::Tensor unit = at::where(is_zero, at::zeros_like(norm), norm.reciprocal());
  // sum over j of (Wh_i . W_j)^2, itself included: through the smaller of the two products.
  const at::Tensor directions = rows * unit.to(rows.scalar_type()).unsqueeze(1);
  at::Tensor all;
  if (rows.size(0) <= rows.size(1)) {
    all = at::mm(directions, rows.t()).square().sum(1, false, at::kDouble);
  } else {
    all = (at::mm(directions, at::mm(rows.t(), rows)) * directions).sum(1, false, at::kDouble);
  }
  const at::Tensor others = (all - squared).clamp_min(0);  // rounding may leave a little below 0
  RowMeasures result;
  result.norm = norm.cpu();
  result.interference_squared = at::where(is_zero, at::zeros_like(others), others).cpu();
  result.dimensionality = at::where(is_zero, at::full_like(norm, NAN), squared / (squared + others)).cpu();
  return result;
}

SetMeasures measure_set(const at::Tensor& rows, std::span<const double> density) {
  SetMeasures set;
  set.n_rows = rows.size(0);
  set.n_dims = rows.size(1);
  if (set.n_rows == 0) return set;
  const RowMeasures measures = measure_rows(rows);
  const std::vector<double> norm = to_vector(measures.norm), own = to_vector(measures.dimensionality);
  if (!density.empty() && density.size() != norm.size()) {
    throw input_error("densities of {} features, expected {}", density.size(), norm.size());
  }
  double squares = 0;
  for (const double value : norm) squares += value * value;
  const double rms = std::sqrt(squares / static_cast<double>(norm.size()));
  set.n_zero = std::count_if(own.begin(), own.end(), [](double d) { return std::isnan(d); });
  if (rms == 0) return set;
  std::vector<double> represented, density_of_represented;
  std::vector<std::size_t> order(norm.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return norm[a] > norm[b]; });
  for (std::size_t i = 0; i < norm.size(); ++i) {
    if (norm[i] <= kRepresentedShareOfRms * rms) continue;
    represented.push_back(own[i]);
    if (!density.empty()) density_of_represented.push_back(density[i]);
  }
  std::vector<double> strongest;
  const auto n_strongest = static_cast<std::size_t>(std::ceil(kStrongestShare * static_cast<double>(norm.size())));
  for (std::size_t i = 0; i < n_strongest; ++i) strongest.push_back(own[order[i]]);
  const double r = effective_dims(rows);
  const auto n_represented = static_cast<double>(represented.size());
  set.at(Measure::kRepresentedPerDim) = n_represented / static_cast<double>(set.n_dims);
  set.at(Measure::kEffectiveDimsFrac) = r / static_cast<double>(std::min(set.n_rows, set.n_dims));
  set.at(Measure::kRepresentedPerEffectiveDim) = n_represented / r;
  set.at(Measure::kMeanDimensionality) = mean(represented);  // never empty: some row reaches the root mean square
  set.at(Measure::kStrongestDimensionality) = mean(strongest);
  set.at(Measure::kOwnDimensionFrac) = static_cast<double>(std::count_if(represented.begin(), represented.end(),
                                                                         [](double d) { return d > kOwnDimension; })) /
                                       n_represented;
  if (!density.empty()) set.at(Measure::kDensityRank) = stats::rank_correlation(represented, density_of_represented);
  return set;
}

at::Tensor random_directions(const at::Tensor& rows, std::uint64_t seed) {
  at::Tensor drawn = at::empty(rows.sizes(), at::kFloat);
  auto* value = drawn.data_ptr<float>();
  Random random(seed);
  for (std::int64_t i = 0; i < drawn.numel(); i += 2) {  // Box and Muller 1958
    const double radius = std::sqrt(-2 * std::log1p(-random.uniform())), angle = kTau * random.uniform();
    value[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < drawn.numel()) value[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  const at::Tensor norm = rows.square().sum(1, true, at::kDouble).sqrt().cpu();
  const at::Tensor scale = norm / drawn.square().sum(1, true, at::kDouble).sqrt();
  return (drawn * scale.to(at::kFloat)).to(rows.device(), rows.scalar_type());
}

at::Tensor random_order(std::int64_t n, std::uint64_t seed) {
  at::Tensor order = at::arange(n, at::kLong);
  auto* value = order.data_ptr<std::int64_t>();
  Random random(seed);
  for (std::int64_t i = n - 1; i > 0; --i) {
    std::swap(value[i], value[random.below(static_cast<std::uint64_t>(i) + 1)]);
  }
  return order;
}

}  // namespace moescope::analysis::superpose
