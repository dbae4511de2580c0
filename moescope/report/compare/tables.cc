#include "moescope/report/compare/tables.h"

#include <algorithm>

namespace moescope::report {

namespace {

using io::IntColumn;
using io::RealColumn;
using io::TextColumn;

std::optional<std::size_t> k_place(const ProbeTable& table, std::int32_t k) {
  const auto found = std::find(table.ks.begin(), table.ks.end(), k);
  if (found == table.ks.end()) return std::nullopt;
  return static_cast<std::size_t>(found - table.ks.begin());
}

const ProbeTable* control(const ComparedModel& model, const std::string& variant) {
  const auto found = model.controls.find(variant);
  return found == model.controls.end() ? nullptr : &found->second;
}

// Best expert by concept of a control at k; empty where there is none.
ConceptValues best_of_control(const ComparedModel& model, const std::string& variant, std::int32_t k) {
  const ProbeTable* table = control(model, variant);
  if (table == nullptr) return {};
  const auto place = k_place(*table, k);
  return place ? best_layer_by_concept(*table, *place, Aggregate::kBestExpert) : ConceptValues();
}

ConceptValues aggregate_at(const ComparedModel& model, std::int32_t k, Aggregate aggregate) {
  const auto place = k_place(model.table, k);
  return place ? best_layer_by_concept(model.table, *place, aggregate) : ConceptValues();
}

ConceptValues selected_at(const ComparedModel& model, std::int32_t k) {
  const ProbeTable* table = control(model, "select");
  if (table == nullptr) return {};
  const auto place = k_place(*table, k);
  return place ? selected_f1(*table, *place) : ConceptValues();
}

// Best expert less the best with permuted labels, concept by concept.
ConceptValues selectivity(const ComparedModel& model, std::int32_t k) {
  ConceptValues values;
  const ConceptValues shuffled = best_of_control(model, "shuffled", k);
  for (const auto& [name, f1] : aggregate_at(model, k, Aggregate::kBestExpert)) {
    if (const auto found = shuffled.find(name); found != shuffled.end()) values.emplace(name, f1 - found->second);
  }
  return values;
}

ConceptValues selected_selectivity_at(const ComparedModel& model, std::int32_t k) {
  const ProbeTable *select = control(model, "select"), *shuffled = control(model, "shuffled");
  if (select == nullptr || shuffled == nullptr) return {};
  const auto i = k_place(*select, k), j = k_place(*shuffled, k);
  return i && j ? selected_selectivity(*select, *shuffled, *i, *j) : ConceptValues();
}

ConceptValues agreement(const ComparedModel& model, const char* a, const char* b, std::int32_t k) {
  const ProbeTable *first = control(model, a), *second = control(model, b);
  if (first == nullptr || second == nullptr) return {};
  const auto i = k_place(*first, k), j = k_place(*second, k);
  return i && j ? rank_agreement(*first, *second, *i, *j) : ConceptValues();
}

// Columns `value, low, high, n_concepts, status` of estimates.
struct EstimateColumns {
  RealColumn value, low, high;
  IntColumn n;
  TextColumn status;

  void add(const std::optional<stats::Estimate>& estimate) {
    value.push_back(estimate ? std::optional(estimate->value) : std::nullopt);
    low.push_back(estimate ? std::optional(estimate->interval.low) : std::nullopt);
    high.push_back(estimate ? std::optional(estimate->interval.high) : std::nullopt);
    n.emplace_back(estimate ? estimate->n : 0);
    status.emplace_back(estimate ? "ok" : "no_concepts");
  }
  void append_to(io::Table& table, const char* name) {
    table.columns.push_back({name, std::move(value)});
    table.columns.push_back({"low", std::move(low)});
    table.columns.push_back({"high", std::move(high)});
    table.columns.push_back({"n_concepts", std::move(n)});
    table.columns.push_back({"status", std::move(status)});
  }
};

}  // namespace

std::vector<Measure> all_measures(const ComparedModel& model, const CompareOptions& options) {
  std::vector<Measure> measures;
  const auto add = [&](const std::string& measure, std::int32_t k, std::optional<stats::Estimate> estimate) {
    std::optional<double> ratio;
    if (model.mean_active_neurons && *model.mean_active_neurons > 0) ratio = k / *model.mean_active_neurons;
    measures.push_back({model.name, measure, k, ratio, estimate});
  };
  const auto mean = [&](const ConceptValues& values) { return mean_over_concepts(values, options.bootstrap); };
  for (const std::int32_t k : model.table.ks) {
    for (const Aggregate aggregate : kAggregates) {
      add(aggregate_word(aggregate), k, mean(aggregate_at(model, k, aggregate)));
    }
    if (const auto place = model.shared ? k_place(*model.shared, k) : std::nullopt) {
      add("shared_expert", k, mean(best_layer_by_concept(*model.shared, *place, Aggregate::kBestExpert)));
    }
    if (control(model, "select") != nullptr) {
      add("select_then_test", k, mean(selected_at(model, k)));
      add("select_best", k, mean(best_of_control(model, "select", k)));
    }
    if (control(model, "shuffled") != nullptr) {
      add("shuffled", k, mean(best_of_control(model, "shuffled", k)));
      add("selectivity", k, mean(selectivity(model, k)));
      if (control(model, "select") != nullptr) add("select_selectivity", k, mean(selected_selectivity_at(model, k)));
    }
    if (control(model, "matched") != nullptr) add("matched", k, mean(best_of_control(model, "matched", k)));
    if (control(model, "half_b") != nullptr) add("halves_rank", k, mean(agreement(model, "half_a", "half_b", k)));
    if (const ProbeTable* shifted = control(model, "shifted")) {
      const auto i = k_place(model.table, k), j = k_place(*shifted, k);
      add("shifted_rank", k, i && j ? mean(rank_agreement(model.table, *shifted, *i, *j)) : std::nullopt);
    }
  }
  return measures;
}

std::vector<Difference> all_differences(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  std::vector<Difference> differences;
  const ComparedModel& first = models.front();
  for (std::size_t m = 1; m < models.size(); ++m) {
    const ComparedModel& model = models[m];
    for (const std::int32_t k : model.table.ks) {
      if (!k_place(first.table, k)) continue;
      const auto add = [&](const std::string& measure, const ConceptValues& a, const ConceptValues& b) {
        differences.push_back({model.name, first.name, measure, k, mean_difference(a, b, options.bootstrap)});
      };
      for (const Aggregate aggregate : kAggregates) {
        add(aggregate_word(aggregate), aggregate_at(model, k, aggregate), aggregate_at(first, k, aggregate));
      }
      if (control(model, "select") != nullptr && control(first, "select") != nullptr) {
        add("select_then_test", selected_at(model, k), selected_at(first, k));
      }
      if (control(model, "shuffled") != nullptr && control(first, "shuffled") != nullptr) {
        add("selectivity", selectivity(model, k), selectivity(first, k));
        add("select_selectivity", selected_selectivity_at(model, k), selected_selectivity_at(first, k));
      }
      if (control(first, "matched") != nullptr) {
        add("best_expert_matched", aggregate_at(model, k, Aggregate::kBestExpert),
            best_of_control(first, "matched", k));
      }
    }
  }
  return differences;
}

io::Table measure_table(const std::vector<Measure>& measures) {
  TextColumn model, measure;
  IntColumn k;
  RealColumn ratio;
  EstimateColumns estimates;
  for (const Measure& row : measures) {
    model.emplace_back(row.model);
    measure.emplace_back(row.measure);
    k.emplace_back(row.k);
    ratio.push_back(row.k_over_active);
    estimates.add(row.estimate);
  }
  io::Table table{{{"model", model}, {"measure", measure}, {"k", k}, {"k_over_active", ratio}}};
  estimates.append_to(table, "mean");
  return table;
}

io::Table difference_table(const std::vector<Difference>& differences) {
  TextColumn model, against, measure;
  IntColumn k;
  EstimateColumns estimates;
  for (const Difference& row : differences) {
    model.emplace_back(row.model);
    against.emplace_back(row.against);
    measure.emplace_back(row.measure);
    k.emplace_back(row.k);
    estimates.add(row.estimate);
  }
  io::Table table{{{"model", model}, {"against", against}, {"measure", measure}, {"k", k}}};
  estimates.append_to(table, "difference");
  return table;
}

io::Table concept_table(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  TextColumn model, name, category, status;
  IntColumn k, layer, expert;
  RealColumn best, random, mean;
  for (const ComparedModel& one : models) {
    const ProbeTable& table = one.table;
    for (std::size_t c = 0; c < table.concepts.size(); ++c) {
      for (std::size_t i = 0; i < table.ks.size(); ++i) {
        const auto found = options.categories.find(table.concepts[c]);
        const auto place = best_probe(table, c, i);
        model.emplace_back(one.name);
        name.emplace_back(table.concepts[c]);
        category.emplace_back(found == options.categories.end() ? "other" : found->second);
        k.emplace_back(table.ks[i]);
        layer.push_back(place ? std::optional(place->layer) : std::nullopt);
        expert.push_back(place ? std::optional<std::int64_t>(place->expert) : std::nullopt);
        best.push_back(place ? std::optional(place->f1) : std::nullopt);
        random.push_back(best_layer_f1(table.scores[c][i], Aggregate::kRandomExpert));
        mean.push_back(best_layer_f1(table.scores[c][i], Aggregate::kMeanExpert));
        status.emplace_back(place ? "ok" : "no_probe_fitted");
      }
    }
  }
  return {{{"model", model},
           {"concept", name},
           {"category", category},
           {"k", k},
           {"best_expert_f1", best},
           {"layer", layer},
           {"expert", expert},
           {"random_expert_f1", random},
           {"mean_expert_f1", mean},
           {"status", status}}};
}

io::Table close_expert_table(const std::vector<ComparedModel>& models) {
  TextColumn model, name;
  IntColumn k, layer, n_close, n_fitted, is_best;
  RealColumn best;
  for (const ComparedModel& one : models) {
    for (const CloseExperts& row : experts_per_concept(one.table)) {
      model.emplace_back(one.name);
      name.emplace_back(row.concept_name);
      k.emplace_back(row.k);
      layer.emplace_back(row.layer);
      n_close.emplace_back(row.n_close);
      n_fitted.emplace_back(row.n_fitted);
      best.emplace_back(row.best_f1);
      is_best.emplace_back(row.is_best_layer ? 1 : 0);
    }
  }
  return {{{"model", model},
           {"concept", name},
           {"k", k},
           {"layer", layer},
           {"n_close", n_close},
           {"n_fitted", n_fitted},
           {"best_f1", best},
           {"is_best_layer", is_best}}};
}

}  // namespace moescope::report
