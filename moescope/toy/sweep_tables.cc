#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/base/parallel.h"
#include "moescope/io/run_directory.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
#include "moescope/toy/measure.h"
#include "moescope/toy/sweep.h"

namespace moescope::toy {
namespace {

namespace fs = std::filesystem;
using io::IntColumn;
using io::RealColumn;
using io::TextColumn;

std::optional<double> known(double value) { return std::isfinite(value) ? std::optional(value) : std::nullopt; }

// Adds cells of a row one after the other; the first row makes the columns.
class TableBuilder {
 public:
  void begin_row() { next_ = 0; }
  void whole(const char* name, std::optional<std::int64_t> value) { column<IntColumn>(name).push_back(value); }
  void real(const char* name, std::optional<double> value) {
    column<RealColumn>(name).push_back(value ? known(*value) : std::nullopt);
  }
  void text(const char* name, std::string value) { column<TextColumn>(name).push_back(std::move(value)); }
  const io::Table& table() const { return table_; }

 private:
  template <typename Values>
  Values& column(const char* name) {
    if (next_ == table_.columns.size()) table_.columns.push_back({name, Values{}});
    return std::get<Values>(table_.columns[next_++].values);
  }

  io::Table table_;
  std::size_t next_ = 0;
};

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

void add_identity(TableBuilder& row, const SweepSettings& settings, const SweepInstance& each, std::size_t idx) {
  row.begin_row();
  row.whole("instance", static_cast<std::int64_t>(idx));
  row.text("architecture", architecture_of(settings, each).architecture.name);
  row.real("density", each.instance.density);
  const bool listed = settings.importance == ImportanceKind::kLast;
  row.real("importance_last", listed ? settings.importance_last[static_cast<std::size_t>(each.importance_idx)]
                                     : static_cast<double>(each.instance.importance.back()));
  row.whole("replicate", each.replicate);
}

void add_instance(TableBuilder& row, const SweepSettings& settings, const SweepInstance& each, std::size_t idx,
                  const std::optional<InstanceMeasures>& measures) {
  const Architecture& a = architecture_of(settings, each).architecture;
  const TrainedInstance& trained = each.trained;
  const Evaluation& held_out = each.evaluation;
  add_identity(row, settings, each, idx);
  row.text("status", status_of(each));
  row.whole("diverged_step", trained.diverged_step);
  row.whole("cell", each.cell);
  row.whole("seed", static_cast<std::int64_t>(each.instance.seed));
  row.whole("n_features", a.n_features);
  row.whole("n_dims", a.n_dims);
  row.whole("n_experts", a.n_experts);
  row.whole("n_active", a.n_active);
  row.text("gate", word_of(a.gate));
  row.real("last_batch_loss", trained.last_batch_loss);
  const auto of_held_out = [&](double value) { return measures ? std::optional(value) : std::nullopt; };
  const auto n_samples = static_cast<double>(held_out.n_samples);
  row.real("held_out_loss", of_held_out(held_out.loss));
  row.real("held_out_loss_se", of_held_out(held_out.loss_sd / std::sqrt(n_samples)));
  row.whole("best_held_out", each.best_held_out ? 1 : 0);
  row.whole("best_last_batch", each.best_last_batch ? 1 : 0);
  row.real("router_gradient_norm", trained.router_gradient_norm);
  row.real("router_drift", trained.router_drift);
  row.real("initial_gate_norm", norm_of(trained.initial.gate));
  row.real("nonzero_input_share", of_held_out(static_cast<double>(held_out.n_nonzero) / n_samples));
  row.real("features_explained", of_held_out(sum_of_known(held_out.r2)));
  const auto real = [&](const char* name, auto get) {
    row.real(name, measures ? std::optional<double>(get(measures->model)) : std::nullopt);
  };
  const auto whole = [&](const char* name, auto get) {
    row.whole(name, measures ? std::optional<std::int64_t>(get(measures->model)) : std::nullopt);
  };
  using Model = stats::ModelMeasures;
  real("fpd_published", [](const Model& m) { return m.published; });
  real("fpd_gain_corrected", [](const Model& m) { return m.gain_corrected; });
  real("fpd_represented", [](const Model& m) { return m.represented; });
  whole("n_represented", [](const Model& m) { return m.n_represented; });
  real("per_total_dimension", [](const Model& m) { return m.per_total_dimension; });
  real("mean_dimensionality", [](const Model& m) { return m.mean_dimensionality.value_or(NAN); });
  whole("n_monosemantic", [](const Model& m) { return m.n_monosemantic; });
  whole("n_monosemantic_distinct", [](const Model& m) { return m.n_monosemantic_distinct; });
  whole("n_monosemantic_published", [](const Model& m) { return m.n_monosemantic_published; });
  whole("n_experts_never_used", [](const Model& m) { return m.n_never_used; });
}

void add_experts(TableBuilder& row, const SweepSettings& settings, const SweepInstance& each, std::size_t idx,
                 const std::optional<InstanceMeasures>& measures) {
  const Architecture& a = architecture_of(settings, each).architecture;
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const auto i = static_cast<std::size_t>(e);
    const stats::ExpertMeasures* m = measures ? &measures->experts[i] : nullptr;
    const bool used = m != nullptr && m->status != stats::ExpertStatus::kNeverUsed;
    add_identity(row, settings, each, idx);
    row.whole("expert", e);
    row.text("status", m == nullptr ? status_of(each) : stats::expert_status_word(m->status));
    row.real("use", m ? std::optional(each.evaluation.use[i]) : std::nullopt);
    row.real("use_nonzero", m ? std::optional(each.evaluation.use_nonzero[i]) : std::nullopt);
    row.real("mean_gate", m ? std::optional(each.evaluation.mean_gate[i]) : std::nullopt);
    row.real("features_per_dimension", m ? std::optional(m->features_per_dimension) : std::nullopt);
    row.real("sum_dimensionality", m ? std::optional(m->sum_dimensionality) : std::nullopt);
    row.real("gain_features_per_dim", m ? m->gain_features_per_dim : std::nullopt);
    row.real("mean_dimensionality", m ? m->mean_dimensionality : std::nullopt);
    row.whole("n_represented", used ? std::optional(m->n_represented) : std::nullopt);
    row.whole("n_monosemantic", used ? std::optional(m->n_monosemantic) : std::nullopt);
    row.whole("n_monosemantic_published", m ? std::optional(m->n_monosemantic_published) : std::nullopt);
  }
}

void add_features(TableBuilder& row, const SweepSettings& settings, const SweepInstance& each, std::size_t idx,
                  const std::optional<InstanceMeasures>& measures) {
  const Architecture& a = architecture_of(settings, each).architecture;
  if (!measures) return;  // instances.csv says why
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const stats::ExpertMeasures& expert = measures->experts[static_cast<std::size_t>(e)];
    for (std::int64_t i = 0; i < a.n_features; ++i) {
      const stats::ExpertFeature& feature = expert.features[static_cast<std::size_t>(i)];
      const auto place = static_cast<std::size_t>(e * a.n_features + i);
      add_identity(row, settings, each, idx);
      row.whole("expert", e);
      row.whole("feature", i);
      row.text("status", stats::expert_status_word(expert.status));
      row.real("importance", each.instance.importance[static_cast<std::size_t>(i)]);
      row.real("norm", feature.raw.norm);
      row.real("interference", feature.raw.interference);
      row.real("score_with_self", feature.raw.score_with_self);
      row.real("dimensionality", feature.raw.dimensionality);
      row.real("gain", each.evaluation.gain[place]);
      row.real("gain_norm_squared", feature.gain_norm_squared);
      row.real("interference_used", feature.used.interference);
      const bool used = expert.status != stats::ExpertStatus::kNeverUsed;
      row.text("class", used ? stats::feature_class_word(feature.feature_class) : "");
      row.real("use_given_feature", each.evaluation.use_given_feature[place]);
      row.real("density_in_expert", each.evaluation.density_in_expert[place]);
      row.real("r2", each.evaluation.r2[static_cast<std::size_t>(i)]);
    }
  }
}

io::Table loss_table(const SweepResult& result) {
  IntColumn instance, step;
  RealColumn loss;
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    for (const LossPoint& point : result.instances[i].trained.loss_curve) {
      instance.push_back(static_cast<std::int64_t>(i));
      step.push_back(point.step);
      loss.push_back(known(static_cast<double>(point.loss)));
    }
  }
  return {{{"instance", std::move(instance)}, {"step", std::move(step)}, {"loss", std::move(loss)}}};
}

void write_table(const fs::path& out, const std::string& name, const io::Table& table) {
  if (table.columns.empty()) return;
  io::write_csv(out / (name + ".csv"), table);
  if (io::parquet_available()) io::write_parquet(out / (name + ".parquet"), table);
}

// NAME.w [I, E, n, m], NAME.b and NAME.gate [I, E, n], the same with NAME.initial., and NAME.instance [I].
void write_weights(const SweepResult& result, const fs::path& path) {
  struct Stacked {
    std::vector<float> values[2][3];  // trained, initial; w, b, gate
    std::vector<std::int64_t> instance;
  };
  std::vector<Stacked> all(result.settings.architectures.size());
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    const SweepInstance& each = result.instances[i];
    Stacked& stacked = all[static_cast<std::size_t>(each.architecture_idx)];
    stacked.instance.push_back(static_cast<std::int64_t>(i));
    for (int initial = 0; initial < 2; ++initial) {
      const Weights& weights = initial == 1 ? each.trained.initial : each.trained.trained;
      const std::vector<float>* parts[] = {&weights.w, &weights.b, &weights.gate};
      for (int part = 0; part < 3; ++part) {
        stacked.values[initial][part].insert(stacked.values[initial][part].end(), parts[part]->begin(),
                                             parts[part]->end());
      }
    }
  }
  std::vector<io::TensorToWrite> tensors;
  for (std::size_t k = 0; k < all.size(); ++k) {
    const Architecture& a = result.settings.architectures[k].architecture;
    const auto n_instances = static_cast<std::int64_t>(all[k].instance.size());
    tensors.push_back(io::tensor_to_write(a.name + ".instance", {n_instances}, all[k].instance));
    for (int initial = 0; initial < 2; ++initial) {
      const std::string prefix = a.name + (initial == 1 ? ".initial." : ".");
      const auto& values = all[k].values[initial];
      tensors.push_back(
          io::tensor_to_write(prefix + "w", {n_instances, a.n_experts, a.n_features, a.n_dims}, values[0]));
      tensors.push_back(io::tensor_to_write(prefix + "b", {n_instances, a.n_experts, a.n_features}, values[1]));
      tensors.push_back(io::tensor_to_write(prefix + "gate", {n_instances, a.n_experts, a.n_features}, values[2]));
    }
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

nlohmann::json run_json(const SweepResult& result, const TrainOptions& options) {
  std::int64_t n_diverged = 0;
  for (const SweepInstance& each : result.instances) n_diverged += each.trained.diverged_step ? 1 : 0;
  nlohmann::json skipped = nlohmann::json::array();
  if (n_diverged > 0) {
    skipped.push_back({{"what", "models"}, {"n", n_diverged}, {"why", "diverged: not measured, never the best seed"}});
  }
  return {{"schema", io::kRunSchemaVersion},
          {"tool_version", MOESCOPE_VERSION},
          {"command", "toy"},
          {"settings", to_json(result.settings)},
          {"implementation", word_of(options.chosen())},
          {"device", options.machine.device},
          {"threads", options.machine.n_threads > 0 ? options.machine.n_threads : hardware_threads()},
          {"machine_threads", hardware_threads()},
          {"n_instances", result.instances.size()},
          {"n_diverged", n_diverged},
          {"seconds", result.seconds},
          {"warnings", result.warnings},
          {"skipped", skipped}};
}

}  // namespace

void write_sweep(const SweepResult& result, const fs::path& out, const TrainOptions& options) {
  const std::vector<std::optional<InstanceMeasures>> measures = measure_all(result, options.machine.n_threads);
  TableBuilder instances, experts, features;
  for (std::size_t i = 0; i < result.instances.size(); ++i) {
    const SweepInstance& each = result.instances[i];
    add_instance(instances, result.settings, each, i, measures[i]);
    add_experts(experts, result.settings, each, i, measures[i]);
    if (result.settings.write_features) add_features(features, result.settings, each, i, measures[i]);
  }
  write_table(out, "instances", instances.table());
  write_table(out, "experts", experts.table());
  write_table(out, "features", features.table());
  write_table(out, "losses", loss_table(result));
  write_weights(result, out / "weights.safetensors");
  io::write_file_atomically(out / "run.json", run_json(result, options).dump(2) + "\n");
}

}  // namespace moescope::toy
