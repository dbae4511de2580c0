// The tables of a comparison. compare.h tells what a comparison is.
#pragma once

#include <string>
#include <vector>

#include "moescope/report/compare/compare.h"
#include "moescope/run/compare_files.h"

namespace moescope::report {

// One number of a model at one k: an aggregate or a control.
struct ModelMeasure {
  std::string model, measure;
  std::int32_t k = 0;
  std::optional<double> k_over_active;  // k / mean active neurons of an expert
  std::optional<stats::Estimate> estimate;
};

// Words of ModelMeasure::measure: the three aggregates, and for run directories the controls
//   select_then_test         the expert chosen on the validation part, F1 on the test part
//   select_best              the best on that same test part: what choosing on the test adds
//   shuffled, selectivity    best expert with permuted labels; best_expert less shuffled, concept by concept
//   select_selectivity       select_then_test less permuted labels of that same expert: no maximum on either side
//   matched                  best of random subsets of a dense layer's neurons
//   halves_rank, shifted_rank  rank correlation of F1 (two halves of the documents; another source)
std::vector<ModelMeasure> all_measures(const ComparedModel& model, const CompareOptions& options);

// A model less the first one, over common concepts. Measures: the aggregates, select_then_test, selectivity,
// select_selectivity and best_expert_matched (the model's best expert less the first model's `matched`).
struct ModelDifference {
  std::string model, against, measure;
  std::int32_t k = 0;
  std::optional<stats::Estimate> estimate;
};
std::vector<ModelDifference> all_differences(const std::vector<ComparedModel>& models, const CompareOptions& options);

// The rows of curves.csv, differences.csv, concepts.csv and experts_per_concept.csv.
std::vector<run::CurveRow> curve_rows(const std::vector<ModelMeasure>& measures);
std::vector<run::DifferenceRow> difference_rows(const std::vector<ModelDifference>& differences);
std::vector<run::ComparedConceptRow> concept_rows(const std::vector<ComparedModel>& models,
                                                  const CompareOptions& options);
std::vector<run::CloseExpertsRow> close_expert_rows(const std::vector<ComparedModel>& models);

}  // namespace moescope::report
