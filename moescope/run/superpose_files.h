// The files of `moescope superpose` (docs/superposition.md says what the measures mean).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "moescope/run/record_files.h"

namespace moescope::run {

// The measures of one set of feature vectors.
struct SuperpositionMeasures {
  std::optional<double> represented_per_dim, effective_dims_frac, represented_per_effective_dim, mean_dimensionality,
      strongest_dimensionality, own_dimension_frac, density_rank;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("represented_per_dim", self.represented_per_dim,
          "features with norm above half the root mean square, over m");
    field("effective_dims_frac", self.effective_dims_frac,
          "r / min(n, m), r = (sum s^2)^2 / sum s^4 over singular values: 1 for a tight frame");
    field("represented_per_effective_dim", self.represented_per_effective_dim, "represented features over r");
    field("mean_dimensionality", self.mean_dimensionality, "mean D_i over represented features, in (0, 1]");
    field("strongest_dimensionality", self.strongest_dimensionality, "mean D_i over the tenth with the largest norms");
    field("own_dimension_frac", self.own_dimension_frac, "share of represented features with D_i > 0.8");
    field("density_rank", self.density_rank,
          "rank correlation of D_i and how much denser the feature is in this expert");
  }
};

// superposition.csv: one row an expert, set and variant.
struct SuperpositionRow {
  ExpertId id;
  double load_frac = 0;
  std::string set, variant;
  std::int64_t n_features = 0, n_dims = 0, n_zero = 0, n_left_out = 0;
  SuperpositionMeasures measures;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    ExpertId::describe(self.id, field);
    field("load_frac", self.load_frac,
          "share of the layer's routing decisions, which weights the expert: a layer sums to 1; all alike where it is "
          "not "
          "known",
          {.former = "share"});
    field("set", self.set, "which feature vectors");
    field("variant", self.variant, "`model`, or a null model: then a mean over draws");
    field("n_features", self.n_features, "vectors");
    field("n_dims", self.n_dims, "dimensions m that they lie in");
    field("n_zero", self.n_zero, "vectors without a direction: in no mean");
    field("n_left_out", self.n_left_out, "classes with too few tokens in the expert");
    SuperpositionMeasures::describe(self.measures, field);
    field("status", self.status, "`ok`, `no_features`");
  }
};

// summary.csv: means over experts weighted by load_frac.
struct SuperpositionSummaryRow {
  std::optional<std::int64_t> layer;
  std::string set, variant;
  std::optional<std::string> against;
  std::string measure;
  double value = 0;
  std::optional<double> low, high;
  std::int64_t n_experts = 0;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("layer", self.layer, "place of the layer; missing: all layers, each with the same weight");
    field("set", self.set, "as in superposition.csv");
    field("variant", self.variant, "as in superposition.csv");
    field("against", self.against, "missing for plain values; a null model for the paired difference model - null");
    field("measure", self.measure, "a column of superposition.csv");
    field("value", self.value, "the mean");
    field("low", self.low, "95% interval from resampling experts");
    field("high", self.high, "its other end");
    field("n_experts", self.n_experts, "experts in the mean");
    field("status", self.status, "`ok`, `too_few` (fewer than 5 experts: no interval)");
  }
};

// run.json of `moescope superpose`.
struct SuperposeRun {
  Head head;
  ModelPart model;
  std::string use;
  nlohmann::json text, concepts;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    Head::describe(self.head, field);
    field("model", self.model, "what was measured");
    field("use", self.use, "what tells how experts are used");
    field("text", self.text, "the pass over the corpus; null without one");
    field("concepts", self.concepts, "the pass over the windows of a probe run; null without one");
  }
};

}  // namespace moescope::run
