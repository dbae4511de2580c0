#include "moescope/toy/specialization.h"

#include <array>
#include <optional>

#include "moescope/base/parallel.h"
#include "moescope/io/table.h"
#include "moescope/toy/measure.h"

namespace moescope::toy {
namespace {

// Shares under the three changes; absent without own features.
struct OwnUse {
  std::int64_t n_own = 0;
  std::array<std::optional<double>, 3> share;  // clamped, clamped at density 1, only
};

struct ExpertUseRow {
  std::string status;
  double use = 0;
  std::array<OwnUse, 2> own;  // this project's rule, the published one
};

OwnUse own_use(const Architecture& a, const SweepSettings& settings, const SweepInstance& each, std::size_t expert,
               const std::vector<std::int64_t>& own) {
  OwnUse result;
  result.n_own = static_cast<std::int64_t>(own.size());
  if (own.empty()) return result;
  EvaluationOptions full = settings.evaluation;
  full.density = 1;
  const Weights& weights = each.trained.trained;
  result.share = {expert_use(a, each.instance, weights, settings.evaluation, {own, {}})[expert],
                  expert_use(a, each.instance, weights, full, {own, {}})[expert],
                  expert_use(a, each.instance, weights, settings.evaluation, {{}, own})[expert]};
  return result;
}

std::vector<ExpertUseRow> rows_of(const SweepSettings& settings, const SweepInstance& each) {
  if (each.trained.diverged_step) return {};
  const Architecture& a = settings.architectures[static_cast<std::size_t>(each.architecture_idx)].architecture;
  const InstanceMeasures measures = measure(settings, each);
  std::vector<ExpertUseRow> rows;
  for (std::size_t e = 0; e < measures.experts.size(); ++e) {
    const stats::ExpertMeasures& expert = measures.experts[e];
    std::array<std::vector<std::int64_t>, 2> own;
    for (std::size_t i = 0; i < expert.features.size(); ++i) {
      if (expert.features[i].is_monosemantic) own[0].push_back(static_cast<std::int64_t>(i));
      if (expert.features[i].is_monosemantic_published) own[1].push_back(static_cast<std::int64_t>(i));
    }
    ExpertUseRow row{stats::expert_status_word(expert.status), each.evaluation.use[e], {}};
    row.own[0] = own_use(a, settings, each, e, own[0]);
    row.own[1] = own[1] == own[0] ? row.own[0] : own_use(a, settings, each, e, own[1]);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

void write_specialization(const SweepResult& result, const std::filesystem::path& out, int n_threads) {
  std::vector<std::vector<ExpertUseRow>> all(result.instances.size());
  parallel_for(all.size(), n_threads, [&](std::size_t i) { all[i] = rows_of(result.settings, result.instances[i]); });
  io::IntColumn instance, replicate, expert, n_own[2];
  io::TextColumn architecture, status;
  io::RealColumn density, use, shares[2][3];
  for (std::size_t i = 0; i < all.size(); ++i) {
    const SweepInstance& each = result.instances[i];
    for (std::size_t e = 0; e < all[i].size(); ++e) {
      const ExpertUseRow& row = all[i][e];
      instance.emplace_back(static_cast<std::int64_t>(i));
      architecture.emplace_back(
          result.settings.architectures[static_cast<std::size_t>(each.architecture_idx)].architecture.name);
      density.emplace_back(each.instance.density);
      replicate.emplace_back(each.replicate);
      expert.emplace_back(static_cast<std::int64_t>(e));
      status.emplace_back(row.status);
      use.emplace_back(row.use);
      for (std::size_t rule = 0; rule < 2; ++rule) {
        n_own[rule].emplace_back(row.own[rule].n_own);
        for (std::size_t s = 0; s < 3; ++s) shares[rule][s].push_back(row.own[rule].share[s]);
      }
    }
  }
  io::Table table{{{"instance", instance},
                   {"architecture", architecture},
                   {"density", density},
                   {"replicate", replicate},
                   {"expert", expert},
                   {"status", status},
                   {"use", use}}};
  constexpr std::array kNames = {"use_clamped", "use_clamped_full", "use_only"};
  for (std::size_t rule = 0; rule < 2; ++rule) {
    const std::string suffix = rule == 0 ? "" : "_published";
    table.columns.push_back({"n_own" + suffix, n_own[rule]});
    for (std::size_t s = 0; s < 3; ++s) table.columns.push_back({kNames[s] + suffix, shares[rule][s]});
  }
  io::write_csv(out / "specialization.csv", table);
}

}  // namespace moescope::toy
