// The tables of `moescope compare`, in a folder of their own. Intervals are 95%, from resampling concepts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moescope/run/table_file.h"

namespace moescope::run {

// curves.csv
struct CurveRow {
  std::string model, measure;
  std::int64_t k = 0;
  std::optional<double> k_over_active, mean, low, high;
  std::int64_t n_concepts = 0;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("model", self.model, "its name");
    field("measure", self.measure, "what was averaged, see below");
    field("k", self.k, "neurons that a probe may use");
    field("k_over_active", self.k_over_active, "k / mean active neurons of an expert");
    field("mean", self.mean, "over concepts");
    field("low", self.low, "95% interval");
    field("high", self.high, "its other end");
    field("n_concepts", self.n_concepts, "concepts in the mean");
    field("status", self.status, "`ok`, `no_concepts`");
  }
};

// differences.csv
struct DifferenceRow {
  std::string model, against, measure;
  std::int64_t k = 0;
  std::optional<double> difference, low, high;
  std::int64_t n_concepts = 0;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("model", self.model, "its name");
    field("against", self.against, "the first model");
    field("measure", self.measure, "what was averaged, see below");
    field("k", self.k, "neurons that a probe may use");
    field("difference", self.difference, "mean over common concepts of model less against, paired");
    field("low", self.low, "95% interval");
    field("high", self.high, "its other end");
    field("n_concepts", self.n_concepts, "common concepts");
    field("status", self.status, "`ok`, `no_concepts`");
  }
};

// concepts.csv
struct ComparedConceptRow {
  std::string model, concept_name, category;
  std::int64_t k = 0;
  std::optional<double> best_expert_f1;
  std::optional<std::int64_t> layer, expert;
  std::optional<double> random_expert_f1, mean_expert_f1;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("model", self.model, "its name");
    field("concept", self.concept_name, "name of the concept");
    field("category", self.category, "of the concept library");
    field("k", self.k, "neurons that a probe may use");
    field("best_expert_f1", self.best_expert_f1, "largest F1 of all layers and experts");
    field("layer", self.layer, "where it stands");
    field("expert", self.expert, "where it stands");
    field("random_expert_f1", self.random_expert_f1, "expected F1 of a random expert, best layer");
    field("mean_expert_f1", self.mean_expert_f1, "mean F1 over experts, best layer");
    field("status", self.status, "`ok`, `no_probe_fitted`");
  }
};

// experts_per_concept.csv
struct CloseExpertsRow {
  std::string model, concept_name;
  std::int64_t k = 0, layer = 0, n_close = 0, n_fitted = 0;
  double best_f1 = 0;
  bool is_best_layer = false;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("model", self.model, "its name");
    field("concept", self.concept_name, "name of the concept");
    field("k", self.k, "neurons that a probe may use");
    field("layer", self.layer, "place of the layer");
    field("n_close", self.n_close, "experts within 95% of the layer's best");
    field("n_fitted", self.n_fitted, "experts with a fitted probe");
    field("best_f1", self.best_f1, "largest F1 of the layer");
    field("is_best_layer", self.is_best_layer, "1: the layer with the largest F1");
  }
};

}  // namespace moescope::run
