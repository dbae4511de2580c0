// The files of `moescope toy` (docs/toy.md says what the measures mean).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/run_json.h"
#include "moescope/run/table_file.h"
#include "moescope/run/tensor_file.h"

namespace moescope::run {

// Which model of a sweep a row is about.
struct InstanceId {
  std::int64_t instance = 0;
  std::string architecture;
  double density = 0, importance_last = 0;
  std::int64_t replicate = 0;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("instance", self.instance, "row of instances.csv, from 0");
    field("architecture", self.architecture, "its name");
    field("density", self.density, "probability that a feature is active, in training");
    field("importance_last", self.importance_last, "importance of the last feature");
    field("replicate", self.replicate, "which seed of its cell, from 0");
  }
};

// instances.csv: one row a model. Measures are missing where it diverged.
struct InstanceRow {
  InstanceId id;
  std::string status;
  std::optional<std::int64_t> diverged_step;
  std::int64_t cell = 0, seed = 0, n_features = 0, n_dims = 0, n_experts = 0, n_active = 0;
  std::string gate;
  std::optional<double> last_batch_loss, held_out_loss, held_out_loss_se;
  bool best_held_out = false, best_last_batch = false;
  std::optional<double> router_gradient_norm, router_drift, initial_gate_norm, nonzero_input_share, features_explained;
  std::optional<double> fpd_published, fpd_gain_corrected, fpd_represented;
  std::optional<std::int64_t> n_represented;
  std::optional<double> per_total_dimension, mean_dimensionality;
  std::optional<std::int64_t> n_monosemantic, n_monosemantic_distinct, n_monosemantic_published, n_experts_never_used;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    InstanceId::describe(self.id, field);
    field("status", self.status, "`ok`, `diverged`");
    field("diverged_step", self.diverged_step, "only of a model that diverged");
    field("cell", self.cell, "of architecture, density and importance: seeds of one cell are compared");
    field("seed", self.seed, "of the model: a hash of what it is");
    field("n_features", self.n_features, "n");
    field("n_dims", self.n_dims, "m, hidden dimensions of an expert");
    field("n_experts", self.n_experts, "E");
    field("n_active", self.n_active, "k, experts that an input reaches");
    field("gate", self.gate, "kind of the gate");
    field("last_batch_loss", self.last_batch_loss, "of the last training batch, balance loss included");
    field("held_out_loss", self.held_out_loss, "mean over held-out inputs");
    field("held_out_loss_se", self.held_out_loss_se, "its standard error");
    field("best_held_out", self.best_held_out, "1: the best seed of its cell by held-out loss");
    field("best_last_batch", self.best_last_batch, "1: the best seed by the published rule, the last batch's loss");
    field("router_gradient_norm", self.router_gradient_norm, "mean over steps of ||dL/dG||_2");
    field("router_drift", self.router_drift, "what moved G beyond weight decay");
    field("initial_gate_norm", self.initial_gate_norm, "||G_0||_2, before training");
    field("nonzero_input_share", self.nonzero_input_share, "of held-out inputs with an active feature");
    field("features_explained", self.features_explained, "sum of R2 over features");
    field("fpd_published", self.fpd_published,
          "(1/k) sum_e u_e ||W_e||_F^2 / m, u_e = E[g_e]: features per dimension as published");
    field("fpd_gain_corrected", self.fpd_gain_corrected,
          "sum_e w_e sum_i q_i / m, q_i = ||W_i||^2 gain_i: the same with measured gains, experts weighted by use");
    field("fpd_represented", self.fpd_represented, "sum_e w_e #{i: q_i > 1/4} / m: a count");
    field("n_represented", self.n_represented, "features that at least one used expert holds");
    field("per_total_dimension", self.per_total_dimension, "n_represented / (E m)");
    field("mean_dimensionality", self.mean_dimensionality,
          "mean D_i over represented features, experts weighted by use");
    field("n_monosemantic", self.n_monosemantic, "pairs of expert and feature by this project's rule");
    field("n_monosemantic_distinct", self.n_monosemantic_distinct, "features among them");
    field("n_monosemantic_published", self.n_monosemantic_published, "pairs by the published rule");
    field("n_experts_never_used", self.n_experts_never_used, "experts that no held-out input reached");
  }
};

// experts.csv of a sweep: one row a model and expert.
struct ToyExpertRow {
  InstanceId id;
  std::int64_t expert = 0;
  std::string status;
  std::optional<double> use, use_nonzero, mean_gate, features_per_dimension, sum_dimensionality, gain_features_per_dim,
      mean_dimensionality;
  std::optional<std::int64_t> n_represented, n_monosemantic, n_monosemantic_published;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    InstanceId::describe(self.id, field);
    field("expert", self.expert, "place of the expert, from 0");
    field("status", self.status, "`ok`, `rarely_used`, `never_used`; `diverged`");
    field("use", self.use, "share of all held-out inputs that reach it");
    field("use_nonzero", self.use_nonzero, "share of those with an active feature");
    field("mean_gate", self.mean_gate, "mean of g_e over all held-out inputs");
    field("features_per_dimension", self.features_per_dimension, "||W||_F^2 / m");
    field("sum_dimensionality", self.sum_dimensionality,
          "sum of D_i over features: m in a trained expert, no measure of superposition");
    field("gain_features_per_dim", self.gain_features_per_dim, "sum_i q_i / m; missing if never used");
    field("mean_dimensionality", self.mean_dimensionality, "mean D_i over represented features");
    field("n_represented", self.n_represented, "represented features");
    field("n_monosemantic", self.n_monosemantic, "by this project's rule");
    field("n_monosemantic_published", self.n_monosemantic_published, "by the published rule");
  }
};

// features.csv: one row a model, expert and feature; only if asked for, and not of models that diverged.
struct FeatureRow {
  InstanceId id;
  std::int64_t expert = 0, feature = 0;
  std::string status;
  std::optional<double> importance, norm, interference, score_with_self, dimensionality, gain, gain_norm_squared,
      interference_used;
  std::string feature_class;
  std::optional<double> use_given_feature, density_in_expert, r2;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    InstanceId::describe(self.id, field);
    field("expert", self.expert, "place of the expert, from 0");
    field("feature", self.feature, "place of the feature, from 0");
    field("status", self.status, "of the expert");
    field("importance", self.importance, "weight of the feature in the loss");
    field("norm", self.norm, "||W_i||");
    field("interference", self.interference, "P_i = sqrt(sum over j != i of (Wh_i . W_j)^2)");
    field("score_with_self", self.score_with_self, "P_i^2 + ||W_i||^2");
    field("dimensionality", self.dimensionality, "D_i in (0, 1], the share of a dimension that it has");
    field("gain", self.gain, "mean of g_e where e in K and x_i > 0");
    field("gain_norm_squared", self.gain_norm_squared, "q_i = ||W_i||^2 x gain");
    field("interference_used", self.interference_used, "P_i of rows scaled by the root of the gain");
    field("class", self.feature_class,
          "`ignored`, `monosemantic`, `superposed`, by this project's rule; \"\" in an expert that is never used");
    field("use_given_feature", self.use_given_feature, "P(e in K given x_i > 0)");
    field("density_in_expert", self.density_in_expert, "P(x_i > 0 given e in K)");
    field("r2", self.r2, "1 - mean squared error over variance of x_i, held out");
  }
};

// losses.csv: one row a model and step.
struct LossRow {
  std::int64_t instance = 0, step = 0;
  std::optional<double> loss;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("instance", self.instance, "row of instances.csv, from 0");
    field("step", self.step, "of training");
    field("loss", self.loss, "of that step's batch, balance loss included");
  }
};

// Shares of held-out inputs that reach an expert under changes to its own features; missing without own features.
struct OwnUse {
  std::int64_t n_own = 0;
  std::optional<double> use_clamped, use_clamped_full, use_only;
};

// specialization.csv: one row a model and expert, of sweeps of that experiment.
struct SpecializationRow {
  std::int64_t instance = 0;
  std::string architecture;
  double density = 0;
  std::int64_t replicate = 0, expert = 0;
  std::string status;
  double use = 0;
  OwnUse own, own_published;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("instance", self.instance, "row of instances.csv, from 0");
    field("architecture", self.architecture, "its name");
    field("density", self.density, "probability that a feature is active, in training");
    field("replicate", self.replicate, "which seed of its cell, from 0");
    field("expert", self.expert, "place of the expert, from 0");
    field("status", self.status, "of the expert");
    field("use", self.use, "share of held-out inputs that reach it");
    field("n_own", self.own.n_own, "its monosemantic features by this project's rule");
    field("use_clamped", self.own.use_clamped, "share of inputs that reach it with own features set to 1");
    field("use_clamped_full", self.own.use_clamped_full, "the same at density 1");
    field("use_only", self.own.use_only, "the same with own features alone, at one shared value");
    field("n_own_published", self.own_published.n_own, "its monosemantic features by the published rule");
    field("use_clamped_published", self.own_published.use_clamped, "as use_clamped, of these");
    field("use_clamped_full_published", self.own_published.use_clamped_full, "as use_clamped_full, of these");
    field("use_only_published", self.own_published.use_only, "as use_only, of these");
  }
};

// weights.safetensors, for every architecture under "NAME."
struct ToyInstances {
  std::int64_t n = 0;
  std::vector<std::int64_t> instance;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("I", self.n, "models of the architecture");
    tensor("instance", self.instance, "I", "rows of instances.csv");
  }
};

// weights.safetensors, for every architecture under "NAME." after and "NAME.initial." before training.
struct ToyWeights {
  std::int64_t n = 0, n_experts = 0, n_features = 0, n_dims = 0;
  std::vector<float> w, b, gate;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("I", self.n, "models of the architecture");
    tensor.size("E", self.n_experts, "experts");
    tensor.size("n", self.n_features, "features");
    tensor.size("m", self.n_dims, "hidden dimensions of an expert");
    tensor("w", self.w, "I E n m", "W");
    tensor("b", self.b, "I E n", "b");
    tensor("gate", self.gate, "I E n", "G");
  }
};

// run.json of `moescope toy`.
struct ToySweepRun {
  Head head;
  std::string implementation, device;
  int threads = 0, machine_threads = 0;
  std::int64_t n_instances = 0, n_diverged = 0;
  std::vector<std::string> warnings;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    Head::describe(self.head, field);
    field("implementation", self.implementation, "`lanes` or `batched`");
    field("device", self.device, "cpu or cuda[:i]");
    field("threads", self.threads, "used");
    field("machine_threads", self.machine_threads, "that the machine has");
    field("n_instances", self.n_instances, "models of the sweep");
    field("n_diverged", self.n_diverged, "of them diverged");
    field("warnings", self.warnings, "what a reader of the results should know");
  }
};

}  // namespace moescope::run
