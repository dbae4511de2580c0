#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/base/parallel.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/toy_files.h"
#include "moescope/toy/measure.h"
#include "moescope/toy/specialization.h"
#include "moescope/toy/sweep.h"

namespace moescope::toy {
namespace {

namespace fs = std::filesystem;

std::optional<double> known(double value) { return std::isfinite(value) ? std::optional(value) : std::nullopt; }

std::optional<double> known(const std::optional<double>& value) { return value ? known(*value) : std::nullopt; }

const SweepArchitecture& architecture_of(const SweepSettings& settings, const SweepInstance& instance) {
  return settings.architectures[static_cast<std::size_t>(instance.architecture_idx)];
}

std::string status_of(const SweepInstance& instance) { return instance.trained.diverged_step ? "diverged" : "ok"; }

double norm_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(sum);
}

double sum_of_known(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::isfinite(value) ? value : 0;
  return sum;
}

run::InstanceId id_of(const SweepSettings& settings, const SweepInstance& each, std::size_t idx) {
  run::InstanceId id;
  id.instance = static_cast<std::int64_t>(idx);
  id.architecture = architecture_of(settings, each).architecture.name;
  id.density = each.instance.density;
  id.importance_last = settings.importance == ImportanceKind::kLast
                           ? settings.importance_last[static_cast<std::size_t>(each.importance_idx)]
                           : static_cast<double>(each.instance.importance.back());
  id.replicate = each.replicate;
  return id;
}

void add_held_out(const Evaluation& held_out, const stats::ModelMeasures& model, run::InstanceRow& row) {
  const auto n_samples = static_cast<double>(held_out.n_samples);
  row.held_out_loss = known(held_out.loss);
  row.held_out_loss_se = known(held_out.loss_sd / std::sqrt(n_samples));
  row.nonzero_input_share = known(static_cast<double>(held_out.n_nonzero) / n_samples);
  row.features_explained = sum_of_known(held_out.r2);
  row.fpd_published = known(model.published);
  row.fpd_gain_corrected = known(model.gain_corrected);
  row.fpd_represented = known(model.represented);
  row.n_represented = model.n_represented;
  row.per_total_dimension = known(model.per_total_dimension);
  row.mean_dimensionality = known(model.mean_dimensionality);
  row.n_monosemantic = model.n_monosemantic;
  row.n_monosemantic_distinct = model.n_monosemantic_distinct;
  row.n_monosemantic_published = model.n_monosemantic_published;
  row.n_experts_never_used = model.n_never_used;
}

run::InstanceRow instance_row(const SweepSettings& settings, const SweepInstance& each, std::size_t idx,
                              const std::optional<InstanceMeasures>& measures) {
  const Architecture& a = architecture_of(settings, each).architecture;
  const TrainedInstance& trained = each.trained;
  run::InstanceRow row;
  row.id = id_of(settings, each, idx);
  row.status = status_of(each);
  row.diverged_step = trained.diverged_step;
  row.cell = each.cell;
  row.seed = static_cast<std::int64_t>(each.instance.seed);
  row.n_features = a.n_features;
  row.n_dims = a.n_dims;
  row.n_experts = a.n_experts;
  row.n_active = a.n_active;
  row.gate = word_of(a.gate);
  row.last_batch_loss = known(static_cast<double>(trained.last_batch_loss));
  row.best_held_out = each.best_held_out;
  row.best_last_batch = each.best_last_batch;
  row.router_gradient_norm = known(trained.router_gradient_norm);
  row.router_drift = known(trained.router_drift);
  row.initial_gate_norm = known(norm_of(trained.initial.gate));
  if (measures) add_held_out(each.evaluation, measures->model, row);
  return row;
}

void add_experts(const SweepSettings& settings, const SweepInstance& each, std::size_t idx,
                 const std::optional<InstanceMeasures>& measures, std::vector<run::ToyExpertRow>& rows) {
  const Architecture& a = architecture_of(settings, each).architecture;
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const auto i = static_cast<std::size_t>(e);
    run::ToyExpertRow& row = rows.emplace_back();
    row.id = id_of(settings, each, idx);
    row.expert = e;
    row.status = status_of(each);
    if (!measures) continue;
    const stats::ExpertMeasures& expert = measures->experts[i];
    row.status = stats::expert_status_word(expert.status);
    row.use = known(each.evaluation.use[i]);
    row.use_nonzero = known(each.evaluation.use_nonzero[i]);
    row.mean_gate = known(each.evaluation.mean_gate[i]);
    row.features_per_dimension = known(expert.features_per_dimension);
    row.sum_dimensionality = known(expert.sum_dimensionality);
    row.gain_features_per_dim = known(expert.gain_features_per_dim);
    row.mean_dimensionality = known(expert.mean_dimensionality);
    row.n_monosemantic_published = expert.n_monosemantic_published;
    if (expert.status == stats::ExpertStatus::kNeverUsed) continue;
    row.n_represented = expert.n_represented;
    row.n_monosemantic = expert.n_monosemantic;
  }
}

void add_features(const SweepSettings& settings, const SweepInstance& each, std::size_t idx,
                  const std::optional<InstanceMeasures>& measures, std::vector<run::FeatureRow>& rows) {
  const Architecture& a = architecture_of(settings, each).architecture;
  if (!measures) return;  // instances.csv says why
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const stats::ExpertMeasures& expert = measures->experts[static_cast<std::size_t>(e)];
    for (std::int64_t i = 0; i < a.n_features; ++i) {
      const stats::ExpertFeature& feature = expert.features[static_cast<std::size_t>(i)];
      const auto place = static_cast<std::size_t>(e * a.n_features + i);
      run::FeatureRow& row = rows.emplace_back();
      row.id = id_of(settings, each, idx);
      row.expert = e;
      row.feature = i;
      row.status = stats::expert_status_word(expert.status);
      row.importance = known(static_cast<double>(each.instance.importance[static_cast<std::size_t>(i)]));
      row.norm = known(feature.raw.norm);
      row.interference = known(feature.raw.interference);
      row.score_with_self = known(feature.raw.score_with_self);
      row.dimensionality = known(feature.raw.dimensionality);
      row.gain = known(each.evaluation.gain[place]);
      row.gain_norm_squared = known(feature.gain_norm_squared);
      row.interference_used = known(feature.used.interference);
      const bool used = expert.status != stats::ExpertStatus::kNeverUsed;
      row.feature_class = used ? stats::feature_class_word(feature.feature_class) : "";
      row.use_given_feature = known(each.evaluation.use_given_feature[place]);
      row.density_in_expert = known(each.evaluation.density_in_expert[place]);
      row.r2 = known(each.evaluation.r2[static_cast<std::size_t>(i)]);
    }
  }
}

std::vector<run::LossRow> loss_rows(const SweepResult& result) {
  std::vector<run::LossRow> rows;
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    for (const LossPoint& point : result.instances[i].trained.loss_curve) {
      rows.push_back({static_cast<std::int64_t>(i), point.step, known(static_cast<double>(point.loss))});
    }
  }
  return rows;
}

void append(const Weights& weights, run::ToyWeights& all) {
  all.w.insert(all.w.end(), weights.w.begin(), weights.w.end());
  all.b.insert(all.b.end(), weights.b.begin(), weights.b.end());
  all.gate.insert(all.gate.end(), weights.gate.begin(), weights.gate.end());
}

void write_weights(const SweepResult& result, const fs::path& path) {
  struct Stacked {
    run::ToyInstances instances;
    run::ToyWeights trained, initial;
  };
  std::vector<Stacked> all(result.settings.architectures.size());
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    const SweepInstance& each = result.instances[i];
    Stacked& stacked = all[static_cast<std::size_t>(each.architecture_idx)];
    stacked.instances.instance.push_back(static_cast<std::int64_t>(i));
    append(each.trained.trained, stacked.trained);
    append(each.trained.initial, stacked.initial);
  }
  std::vector<io::TensorToWrite> tensors;
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Architecture& a = result.settings.architectures[k].architecture;
    Stacked& stacked = all[k];
    stacked.instances.n = static_cast<std::int64_t>(stacked.instances.instance.size());
    for (run::ToyWeights* weights : {&stacked.trained, &stacked.initial}) {
      weights->n = stacked.instances.n;
      weights->n_experts = a.n_experts;
      weights->n_features = a.n_features;
      weights->n_dims = a.n_dims;
    }
    run::add_tensors(tensors, stacked.instances, a.name + ".");
    run::add_tensors(tensors, stacked.trained, a.name + ".");
    run::add_tensors(tensors, stacked.initial, a.name + ".initial.");
  }
  io::write_safetensors(path, tensors);
}

std::vector<std::optional<InstanceMeasures>> measure_all(const SweepResult& result, int n_threads) {
  std::vector<std::optional<InstanceMeasures>> measures(result.instances.size());
  parallel_for(measures.size(), n_threads, [&](std::size_t i) {
    if (!result.instances[i].trained.diverged_step) measures[i] = measure(result.settings, result.instances[i]);
  });
  return measures;
}

run::ToySweepRun sweep_run(const SweepResult& result, const TrainOptions& options, const run::Invocation& invocation) {
  run::ToySweepRun run;
  run.head = run::make_head("toy", invocation, to_json(result.settings), identity_json(result.settings));
  run.head.seconds = result.seconds;
  for (const SweepInstance& each : result.instances) run.n_diverged += each.trained.diverged_step ? 1 : 0;
  run::add_skipped(run.head.skipped, "models", run.n_diverged, "diverged: not measured, never the best seed");
  run.implementation = word_of(options.chosen());
  run.device = options.machine.device;
  run.machine_threads = hardware_threads();
  run.threads = options.machine.n_threads > 0 ? options.machine.n_threads : run.machine_threads;
  run.n_instances = static_cast<std::int64_t>(result.instances.size());
  run.warnings = result.warnings;
  return run;
}

}  // namespace

void write_sweep(const SweepResult& result, const fs::path& out, const TrainOptions& options,
                 const WriteOptions& write) {
  const std::vector<std::optional<InstanceMeasures>> measures = measure_all(result, options.machine.n_threads);
  std::vector<run::InstanceRow> instances;
  std::vector<run::ToyExpertRow> experts;
  std::vector<run::FeatureRow> features;
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    const SweepInstance& each = result.instances[i];
    instances.push_back(instance_row(result.settings, each, i, measures[i]));
    add_experts(result.settings, each, i, measures[i], experts);
    if (result.settings.write_features) add_features(result.settings, each, i, measures[i], features);
  }
  run::write_table(out, "instances", instances);
  run::write_table(out, "experts", experts);
  if (!features.empty()) run::write_table(out, "features", features);
  run::write_table(out, "losses", loss_rows(result));
  if (result.settings.experiment == "specialization") write_specialization(result, out, options.machine.n_threads);
  write_weights(result, out / "weights.safetensors");
  run::RunDirectory::open(out, identity_json(result.settings))
      .finish(run::to_json(sweep_run(result, options, write.invocation)), write.last_step);
}

}  // namespace moescope::toy
