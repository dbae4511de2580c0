#include "moescope/report/toy/phase_cells.h"

#include <algorithm>
#include <map>
#include <set>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/stats/phase.h"

namespace moescope::report {

namespace {

constexpr double kJumpSparsity = 0.65;  // rows of the mean of J

struct ExpertShares {
  std::map<std::pair<std::int64_t, std::int64_t>, double> share;  // instance, expert
};

ExpertShares read_shares(const ToyRun& run) {
  ExpertShares shares;
  if (!run.experts) throw input_error("no experts.csv").at(run.folder.string());
  for (std::size_t row = 0; row < run.experts->n_rows(); ++row) {
    const std::optional<double> share = run.experts->real("use_nonzero", row);
    if (share) shares.share[{run.experts->integer("instance", row), run.experts->integer("expert", row)}] = *share;
  }
  return shares;
}

PhaseModel model_of(const ToyArchitecture& a, std::int64_t instance, std::span<const float> w,
                    std::span<const float> gate, const ExpertShares& shares) {
  PhaseModel model;
  const auto size = static_cast<std::size_t>(a.n_features * a.n_dims);
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const auto measures =
        stats::feature_measures({w.subspan(static_cast<std::size_t>(e) * size, size), a.n_features, a.n_dims});
    const auto share = shares.share.find({instance, e});
    const bool is_dead = share == shares.share.end() || share->second <= stats::kLeastUsage;
    model.by_index.push_back({measures.back(), is_dead});
  }
  model.expert_of_role = stats::experts_by_role(gate, a.n_experts, a.n_features, a.n_features - 1);
  return model;
}

std::size_t place_of(const std::set<double>& values, double value) {
  return static_cast<std::size_t>(std::distance(values.begin(), values.find(value)));
}

double loss_of(const PhaseModel& model, bool by_last_batch) {
  return by_last_batch ? model.last_batch_loss : model.held_out_loss;
}

std::optional<double> mean(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

PhaseCells read_phase_cells(const ToyRun& run, std::size_t architecture) {
  const ToyArchitecture& a = run.architectures[architecture];
  const ToyTable& table = run.instances;
  const ExpertShares shares = read_shares(run);
  const auto instances = run.weights.at(a.name + ".instance").to_vector<std::int64_t>();
  const auto w = run.weights.at(a.name + ".w").to_vector<float>();
  const auto gate = run.weights.at(a.name + ".gate").to_vector<float>();
  const auto w_size = static_cast<std::size_t>(a.n_experts * a.n_features * a.n_dims);
  const auto gate_size = static_cast<std::size_t>(a.n_experts * a.n_features);
  if (w.size() != instances.size() * w_size || gate.size() != instances.size() * gate_size) {
    throw input_error("the weights of {} have another shape than its settings", a.name).at(run.folder.string());
  }
  // Rows by density falling: sparsity rising.
  std::set<double> sparsities, importances;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    if (table.text("architecture", row) != a.name) continue;
    sparsities.insert(1 - table.real("density", row).value());
    importances.insert(table.real("importance_last", row).value());
  }
  PhaseCells cells{{sparsities.begin(), sparsities.end()}, {importances.begin(), importances.end()}, {}};
  cells.models.resize(sparsities.size() * importances.size());
  for (std::size_t i = 0; i < instances.size(); ++i) {
    if (instances[i] < 0 || static_cast<std::size_t>(instances[i]) >= table.n_rows()) {
      throw input_error("weights of instance {}, which instances.csv does not have", instances[i])
          .at(run.folder.string());
    }
    const auto row = static_cast<std::size_t>(instances[i]);
    if (table.text("status", row) != "ok") continue;
    PhaseModel model = model_of(a, instances[i], std::span(w).subspan(i * w_size, w_size),
                                std::span(gate).subspan(i * gate_size, gate_size), shares);
    model.held_out_loss = table.real("held_out_loss", row).value();
    model.last_batch_loss = table.real("last_batch_loss", row).value();
    const std::size_t cell = place_of(sparsities, 1 - table.real("density", row).value()) * importances.size() +
                             place_of(importances, table.real("importance_last", row).value());
    cells.models[cell].push_back(std::move(model));
  }
  return cells;
}

Choice choose_best(const PhaseCells& cells, bool by_last_batch) {
  Choice choice;
  for (const std::vector<PhaseModel>& seeds : cells.models) {
    const auto best = std::min_element(seeds.begin(), seeds.end(), [&](const PhaseModel& a, const PhaseModel& b) {
      return loss_of(a, by_last_batch) < loss_of(b, by_last_batch);
    });
    choice.push_back(best == seeds.end() ? std::nullopt
                                         : std::optional(static_cast<std::size_t>(best - seeds.begin())));
  }
  return choice;
}

Choice choose_of_drawn(const PhaseCells& cells, bool by_last_batch, std::uint64_t seed) {
  Choice choice;
  for (std::size_t cell = 0; cell < cells.models.size(); ++cell) {
    const std::vector<PhaseModel>& seeds = cells.models[cell];
    Random random(hash64(seed, cell));
    std::optional<std::size_t> best;
    for (std::size_t draw = 0; draw < seeds.size(); ++draw) {
      const std::size_t drawn = random.below(seeds.size());
      if (!best || loss_of(seeds[drawn], by_last_batch) < loss_of(seeds[*best], by_last_batch)) best = drawn;
    }
    choice.push_back(best);
  }
  return choice;
}

PhaseNumbers phase_numbers(const PhaseCells& cells, const Choice& choice) {
  std::vector<std::optional<stats::FeatureClass>> by_role, by_index;
  std::vector<double> jumps, excess, dead;
  for (std::size_t row = 0; row < cells.n_rows(); ++row) {
    std::vector<std::optional<double>> norms;
    for (std::size_t column = 0; column < cells.n_columns(); ++column) {
      const std::size_t cell = row * cells.n_columns() + column;
      if (!choice[cell]) {
        norms.emplace_back();
        by_role.emplace_back();
        by_index.emplace_back();
        continue;
      }
      const PhaseModel& model = cells.models[cell][*choice[cell]];
      norms.emplace_back(model.of_role(0).measures.norm);
      by_role.emplace_back(stats::feature_class(model.of_role(0).measures));
      by_index.emplace_back(stats::feature_class(model.by_index[0].measures));
      const bool any_dead =
          std::any_of(model.by_index.begin(), model.by_index.end(), [](const LastFeature& f) { return f.is_dead; });
      dead.push_back(any_dead ? 1 : 0);
    }
    const auto jump = stats::largest_jump(norms), variation = stats::excess_variation(norms);
    if (jump && cells.sparsities[row] <= kJumpSparsity) jumps.push_back(*jump);
    if (variation) excess.push_back(*variation);
  }
  const auto n_rows = static_cast<std::int64_t>(cells.n_rows()),
             n_columns = static_cast<std::int64_t>(cells.n_columns());
  PhaseNumbers numbers;
  numbers.largest_jump = mean(jumps);
  numbers.excess_variation = mean(excess);
  numbers.disagreement = stats::neighbour_disagreement(by_role, n_rows, n_columns);
  numbers.disagreement_by_index = stats::neighbour_disagreement(by_index, n_rows, n_columns);
  numbers.dead_expert_cells = mean(dead);
  return numbers;
}

std::optional<double> seed_loss_ratio(const PhaseCells& cells) {
  std::vector<double> ratios;
  for (const std::vector<PhaseModel>& seeds : cells.models) {
    if (seeds.size() < 2) continue;
    const auto [best, worst] =
        std::minmax_element(seeds.begin(), seeds.end(),
                            [](const PhaseModel& a, const PhaseModel& b) { return a.held_out_loss < b.held_out_loss; });
    if (best->held_out_loss > 0) ratios.push_back(worst->held_out_loss / best->held_out_loss);
  }
  if (ratios.empty()) return std::nullopt;
  std::nth_element(ratios.begin(), ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2), ratios.end());
  return ratios[ratios.size() / 2];
}

}  // namespace moescope::report
