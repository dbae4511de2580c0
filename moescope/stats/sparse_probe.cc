#include "moescope/stats/sparse_probe.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moescope/base/error.h"
#include "moescope/stats/gram.h"

namespace moescope::stats {

namespace {

// Positives and negatives of a part.
struct PartCounts {
  std::int64_t n[2] = {0, 0};
  bool has_both() const { return n[0] > 0 && n[1] > 0; }
};

PartCounts count(std::span<const ProbeItem> items, SamplePart part) {
  PartCounts counts;
  for (const ProbeItem& item : items) counts.n[item.label] += item.part == part ? 1 : 0;
  return counts;
}

// |difference of the class means| of every neuron over the train part, or nothing if a value of any part is not finite.
std::vector<double> mean_differences(std::span<const float> neurons, std::int32_t width,
                                     std::span<const ProbeItem> items, const PartCounts& train) {
  const auto n_neurons = static_cast<std::size_t>(width);
  std::vector<double> sums[2] = {std::vector<double>(n_neurons, 0.0), std::vector<double>(n_neurons, 0.0)};
  std::vector<double> others(n_neurons, 0.0);  // only to notice NaN and infinities outside the train part
  for (const ProbeItem& item : items) {
    const float* row = neurons.data() + static_cast<std::size_t>(item.row) * n_neurons;
    double* sum = item.part == SamplePart::kTrain ? sums[item.label].data() : others.data();
    add_row(row, n_neurons, sum);
  }
  for (std::size_t j = 0; j < n_neurons; ++j) {
    if (!std::isfinite(sums[0][j] + sums[1][j] + others[j])) return {};
    sums[1][j] = std::abs(sums[1][j] / static_cast<double>(train.n[1]) - sums[0][j] / static_cast<double>(train.n[0]));
  }
  return std::move(sums[1]);
}

std::vector<std::int32_t> largest(const std::vector<double>& values, std::size_t n) {
  std::vector<std::int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const double x = values[static_cast<std::size_t>(a)], y = values[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), order.end(), before);
  order.resize(n);
  return order;
}

// The items of one part with the ranked neurons gathered.
struct GatheredPart {
  std::vector<float> columns;  // [n_items, n_columns]
  std::vector<std::uint8_t> labels;
};

GatheredPart gather(std::span<const float> neurons, std::int32_t width, std::span<const ProbeItem> items,
                    SamplePart part, const std::vector<std::int32_t>& ranked) {
  GatheredPart gathered;
  for (const ProbeItem& item : items) {
    if (item.part != part) continue;
    const float* row = neurons.data() + static_cast<std::size_t>(item.row) * static_cast<std::size_t>(width);
    for (const std::int32_t neuron : ranked) gathered.columns.push_back(row[neuron]);
    gathered.labels.push_back(item.label);
  }
  return gathered;
}

BinaryScores score(const LogisticFit& fit, const GatheredPart& part, std::size_t n_columns) {
  std::int64_t n_hits = 0, n_predicted = 0, n_positive = 0;
  for (std::size_t i = 0; i < part.labels.size(); ++i) {
    const bool predicted = fit.decision({part.columns.data() + i * n_columns, n_columns}) > 0;
    n_predicted += predicted ? 1 : 0;
    n_positive += part.labels[i];
    n_hits += predicted && part.labels[i] != 0 ? 1 : 0;
  }
  return binary_scores(n_hits, n_predicted, n_positive);
}

void set_all(ProbeResult& result, ProbeStatus status) {
  for (WidthResult& one : result.widths) one.status = status;
}

}  // namespace

const char* status_word(ProbeStatus status) {
  switch (status) {
    case ProbeStatus::kOk: return "ok";
    case ProbeStatus::kTooFew: return "too_few";
    case ProbeStatus::kOneClass: return "one_class";
    case ProbeStatus::kNotFinite: return "not_finite";
    case ProbeStatus::kNotConverged: return "not_converged";
    case ProbeStatus::kTooNarrow: return "too_narrow";
  }
  return "";
}

BinaryScores binary_scores(std::int64_t n_hits, std::int64_t n_predicted, std::int64_t n_positive) {
  MOESCOPE_ASSERT(n_positive > 0);
  BinaryScores scores;
  const auto hits = static_cast<double>(n_hits), predicted = static_cast<double>(n_predicted),
             positive = static_cast<double>(n_positive);
  scores.f1 = 2 * hits / (predicted + positive);
  scores.precision = n_predicted > 0 ? hits / predicted : 0;
  scores.recall = hits / positive;
  return scores;
}

ProbeResult fit_sparse_probe(std::span<const float> neurons, std::int32_t width, std::span<const ProbeItem> items,
                             const SparseProbeOptions& options) {
  ProbeResult result;
  for (const std::int32_t k : options.widths) result.widths.push_back({k, ProbeStatus::kOk, {}, {}, 0});
  for (const ProbeItem& item : items) ++(item.label != 0 ? result.n_positive : result.n_negative);
  if (std::min(result.n_positive, result.n_negative) < options.min_per_class) {
    set_all(result, ProbeStatus::kTooFew);
    return result;
  }
  const PartCounts train = count(items, SamplePart::kTrain);
  if (!train.has_both() || !count(items, SamplePart::kTest).has_both() ||
      (options.score_validation && !count(items, SamplePart::kValidation).has_both())) {
    set_all(result, ProbeStatus::kOneClass);
    return result;
  }
  const std::vector<double> differences = mean_differences(neurons, width, items, train);
  if (differences.empty()) {
    set_all(result, ProbeStatus::kNotFinite);
    return result;
  }
  std::int32_t n_columns = 0;
  for (const std::int32_t k : options.widths) n_columns = k <= width ? std::max(n_columns, k) : n_columns;
  result.ranked = largest(differences, static_cast<std::size_t>(n_columns));
  const GatheredPart train_part = gather(neurons, width, items, SamplePart::kTrain, result.ranked);
  const GatheredPart test_part = gather(neurons, width, items, SamplePart::kTest, result.ranked);
  GatheredPart validation_part;
  if (options.score_validation) {
    validation_part = gather(neurons, width, items, SamplePart::kValidation, result.ranked);
  }
  const LogisticSample sample(train_part.columns, n_columns, train_part.labels);
  LogisticFit fit, last;
  bool has_last = false;
  for (WidthResult& one : result.widths) {
    if (one.k > width) {
      one.status = ProbeStatus::kTooNarrow;
      if (options.keep_fits) result.fits.emplace_back();
      continue;
    }
    fit = sample.fit(one.k, options.logistic, has_last ? &last : nullptr);
    one.n_steps = fit.n_steps;
    if (fit.status == FitStatus::kNotConverged) one.status = ProbeStatus::kNotConverged;
    one.test = score(fit, test_part, static_cast<std::size_t>(n_columns));
    if (options.score_validation) one.validation = score(fit, validation_part, static_cast<std::size_t>(n_columns));
    if (options.keep_fits) result.fits.push_back(fit);
    last = std::move(fit);
    has_last = true;
  }
  return result;
}

}  // namespace moescope::stats
