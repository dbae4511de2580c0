#include "moescope/analysis/superpose/tables.h"

#include <map>
#include <tuple>

#include "moescope/analysis/superpose/sets.h"
#include "moescope/stats/clustered.h"

namespace moescope::analysis::superpose {

namespace {

using ExpertSet = std::tuple<std::int64_t, std::int64_t, std::string>;  // layer, expert, set

// What goes into one mean.
struct Values {
  std::vector<double> weighted, weights;
  std::vector<std::int64_t> experts;

  void add(double value, double weight) {
    weighted.push_back(value * weight);
    weights.push_back(weight);
    experts.push_back(static_cast<std::int64_t>(experts.size()));
  }
};

struct Key {
  std::optional<std::int64_t> layer;
  std::string set, variant, against;
  std::size_t measure;
  auto operator<=>(const Key&) const = default;
};

}  // namespace

SetMeasures mean_of(const std::vector<SetMeasures>& draws) {
  if (draws.empty()) return {};
  SetMeasures mean = draws.front();
  for (std::size_t m = 0; m < kMeasures; ++m) {
    double sum = 0;
    std::int64_t n = 0;
    for (const SetMeasures& draw : draws) {
      sum += draw.values[m].value_or(0);
      n += draw.values[m] ? 1 : 0;
    }
    mean.values[m] = n > 0 ? std::optional(sum / static_cast<double>(n)) : std::nullopt;
  }
  return mean;
}

std::vector<run::SuperpositionRow> expert_rows(const std::vector<MeasuredSet>& rows, const model::ModelConfig& config) {
  std::vector<run::SuperpositionRow> table;
  for (const MeasuredSet& row : rows) {
    const SetMeasures& measures = row.measures;
    run::SuperpositionRow& written = table.emplace_back();
    written.id = {row.layer, row.expert, config.n_experts(row.layer) == 1 ? run::kDense : run::kRouted};
    written.load_frac = row.share;
    written.set = row.set;
    written.variant = row.variant;
    written.n_features = measures.n_rows;
    written.n_dims = measures.n_dims;
    written.n_zero = measures.n_zero;
    written.n_left_out = row.n_left_out;
    written.measures = {measures.at(Measure::kRepresentedPerDim),
                        measures.at(Measure::kEffectiveDimsFrac),
                        measures.at(Measure::kRepresentedPerEffectiveDim),
                        measures.at(Measure::kMeanDimensionality),
                        measures.at(Measure::kStrongestDimensionality),
                        measures.at(Measure::kOwnDimensionFrac),
                        measures.at(Measure::kDensityRank)};
    written.status = measures.at(Measure::kMeanDimensionality) ? "ok" : "no_features";
  }
  return table;
}

std::vector<run::SuperpositionSummaryRow> summarize(const std::vector<MeasuredSet>& rows, std::int64_t n_resamples,
                                                    std::uint64_t seed) {
  std::map<ExpertSet, const MeasuredSet*> of_model;
  for (const MeasuredSet& row : rows) {
    if (row.variant == kModel) of_model[{row.layer, row.expert, row.set}] = &row;
  }
  std::map<Key, Values> all;
  for (const MeasuredSet& row : rows) {
    for (std::size_t m = 0; m < kMeasures; ++m) {
      const std::optional<double>& value = row.measures.values[m];
      if (!value || row.share <= 0) continue;
      for (const std::optional<std::int64_t> layer : {std::optional(row.layer), std::optional<std::int64_t>()}) {
        all[{layer, row.set, row.variant, "", m}].add(*value, row.share);
        const auto model = of_model.find({row.layer, row.expert, row.set});
        if (row.variant == kModel || model == of_model.end() || !model->second->measures.values[m]) continue;
        all[{layer, row.set, kModel, row.variant, m}].add(*model->second->measures.values[m] - *value, row.share);
      }
    }
  }
  std::vector<run::SuperpositionSummaryRow> summaries;
  for (const auto& [key, values] : all) {
    const auto mean = stats::clustered_ratio(values.weighted, values.weights, values.experts, {n_resamples, seed});
    if (!mean) continue;
    run::SuperpositionSummaryRow& summary = summaries.emplace_back();
    summary.layer = key.layer;
    summary.set = key.set;
    summary.variant = key.variant;
    if (!key.against.empty()) summary.against = key.against;
    summary.measure = measure_word(static_cast<Measure>(key.measure));
    summary.value = mean->estimate.value;
    summary.n_experts = mean->estimate.n;
    if (mean->has_interval) {
      summary.low = mean->estimate.interval.low;
      summary.high = mean->estimate.interval.high;
    }
    summary.status = mean->has_interval ? "ok" : "too_few";
  }
  return summaries;
}

}  // namespace moescope::analysis::superpose
