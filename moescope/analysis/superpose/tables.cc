#include "moescope/analysis/superpose/tables.h"

#include <map>
#include <tuple>

#include "moescope/analysis/superpose/sets.h"
#include "moescope/stats/clustered.h"

namespace moescope::analysis::superpose {

namespace {

using Place = std::tuple<std::int64_t, std::int64_t, std::string>;  // layer, expert, set

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

io::Table expert_table(const std::vector<ExpertRow>& rows) {
  io::IntColumn layer, expert, n_features, n_dims, n_zero, n_left_out;
  io::RealColumn share;
  io::TextColumn set, variant, status;
  std::vector<io::RealColumn> measures(kMeasures);
  for (const ExpertRow& row : rows) {
    layer.emplace_back(row.layer);
    expert.emplace_back(row.expert);
    share.emplace_back(row.share);
    set.emplace_back(row.set);
    variant.emplace_back(row.variant);
    n_features.emplace_back(row.measures.n_rows);
    n_dims.emplace_back(row.measures.n_dims);
    n_zero.emplace_back(row.measures.n_zero);
    n_left_out.emplace_back(row.n_left_out);
    for (std::size_t m = 0; m < kMeasures; ++m) measures[m].push_back(row.measures.values[m]);
    status.emplace_back(row.measures.at(Measure::kMeanDimensionality) ? "ok" : "no_features");
  }
  io::Table table{{{"layer", layer},
                   {"expert", expert},
                   {"share", share},
                   {"set", set},
                   {"variant", variant},
                   {"n_features", n_features},
                   {"n_dims", n_dims},
                   {"n_zero", n_zero},
                   {"n_left_out", n_left_out}}};
  for (std::size_t m = 0; m < kMeasures; ++m) {
    table.columns.push_back({measure_word(static_cast<Measure>(m)), measures[m]});
  }
  table.columns.push_back({"status", status});
  return table;
}

std::vector<Summary> summarize(const std::vector<ExpertRow>& rows, std::int64_t n_resamples, std::uint64_t seed) {
  std::map<Place, const ExpertRow*> of_model;
  for (const ExpertRow& row : rows) {
    if (row.variant == kModel) of_model[{row.layer, row.expert, row.set}] = &row;
  }
  std::map<Key, Values> all;
  for (const ExpertRow& row : rows) {
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
  std::vector<Summary> summaries;
  for (const auto& [key, values] : all) {
    const auto mean = stats::clustered_ratio(values.weighted, values.weights, values.experts, {n_resamples, seed});
    if (!mean) continue;
    Summary summary{
        key.layer, key.set, key.variant,     key.against, static_cast<Measure>(key.measure), mean->estimate.value,
        {},        {},      mean->estimate.n};
    if (mean->has_interval) {
      summary.low = mean->estimate.interval.low;
      summary.high = mean->estimate.interval.high;
    }
    summaries.push_back(summary);
  }
  return summaries;
}

io::Table summary_table(const std::vector<Summary>& summaries) {
  io::IntColumn layer, n_experts;
  io::TextColumn set, variant, against, measure, status;
  io::RealColumn value, low, high;
  for (const Summary& summary : summaries) {
    layer.push_back(summary.layer);
    set.emplace_back(summary.set);
    variant.emplace_back(summary.variant);
    against.push_back(summary.against.empty() ? std::nullopt : std::optional(summary.against));
    measure.emplace_back(measure_word(summary.measure));
    value.emplace_back(summary.value);
    low.push_back(summary.low);
    high.push_back(summary.high);
    n_experts.emplace_back(summary.n_experts);
    status.emplace_back(summary.low ? "ok" : "too_few");
  }
  return {{{"layer", layer},
           {"set", set},
           {"variant", variant},
           {"against", against},
           {"measure", measure},
           {"value", value},
           {"low", low},
           {"high", high},
           {"n_experts", n_experts},
           {"status", status}}};
}

}  // namespace moescope::analysis::superpose
