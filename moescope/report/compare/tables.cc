#include "moescope/report/compare/tables.h"

#include <algorithm>

namespace moescope::report {

namespace {

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

// Fills low, high, n_concepts and status of a row, and its value.
template <typename Row>
void set_estimate(const std::optional<stats::Estimate>& estimate, std::optional<double>& value, Row& row) {
  row.status = estimate ? "ok" : "no_concepts";
  if (!estimate) return;
  value = estimate->value;
  row.low = estimate->interval.low;
  row.high = estimate->interval.high;
  row.n_concepts = estimate->n;
}

}  // namespace

std::vector<ModelMeasure> all_measures(const ComparedModel& model, const CompareOptions& options) {
  std::vector<ModelMeasure> measures;
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

std::vector<ModelDifference> all_differences(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  std::vector<ModelDifference> differences;
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

std::vector<run::CurveRow> curve_rows(const std::vector<ModelMeasure>& measures) {
  std::vector<run::CurveRow> rows;
  for (const ModelMeasure& measure : measures) {
    run::CurveRow& row = rows.emplace_back();
    row.model = measure.model;
    row.measure = measure.measure;
    row.k = measure.k;
    row.k_over_active = measure.k_over_active;
    set_estimate(measure.estimate, row.mean, row);
  }
  return rows;
}

std::vector<run::DifferenceRow> difference_rows(const std::vector<ModelDifference>& differences) {
  std::vector<run::DifferenceRow> rows;
  for (const ModelDifference& difference : differences) {
    run::DifferenceRow& row = rows.emplace_back();
    row.model = difference.model;
    row.against = difference.against;
    row.measure = difference.measure;
    row.k = difference.k;
    set_estimate(difference.estimate, row.difference, row);
  }
  return rows;
}

std::vector<run::ComparedConceptRow> concept_rows(const std::vector<ComparedModel>& models,
                                                  const CompareOptions& options) {
  std::vector<run::ComparedConceptRow> rows;
  for (const ComparedModel& one : models) {
    const ProbeTable& table = one.table;
    for (std::size_t c = 0; c < table.concepts.size(); ++c) {
      for (std::size_t i = 0; i < table.ks.size(); ++i) {
        const auto found = options.categories.find(table.concepts[c]);
        const auto place = best_probe(table, c, i);
        run::ComparedConceptRow& row = rows.emplace_back();
        row.model = one.name;
        row.concept_name = table.concepts[c];
        row.category = found == options.categories.end() ? "other" : found->second;
        row.k = table.ks[i];
        if (place) {
          row.layer = place->layer;
          row.expert = place->expert;
          row.best_expert_f1 = place->f1;
        }
        row.random_expert_f1 = best_layer_f1(table.scores[c][i], Aggregate::kRandomExpert);
        row.mean_expert_f1 = best_layer_f1(table.scores[c][i], Aggregate::kMeanExpert);
        row.status = place ? "ok" : "no_probe_fitted";
      }
    }
  }
  return rows;
}

std::vector<run::CloseExpertsRow> close_expert_rows(const std::vector<ComparedModel>& models) {
  std::vector<run::CloseExpertsRow> rows;
  for (const ComparedModel& one : models) {
    for (const CloseExperts& close : experts_per_concept(one.table)) {
      rows.push_back({one.name, close.concept_name, close.k, close.layer, close.n_close, close.n_fitted, close.best_f1,
                      close.is_best_layer});
    }
  }
  return rows;
}

}  // namespace moescope::report
