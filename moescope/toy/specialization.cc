#include "moescope/toy/specialization.h"

#include <vector>

#include "moescope/base/parallel.h"
#include "moescope/run/toy_files.h"
#include "moescope/toy/measure.h"

namespace moescope::toy {
namespace {

run::OwnUse own_use(const Architecture& a, const SweepSettings& settings, const SweepInstance& each, std::size_t expert,
                    const std::vector<std::int64_t>& own) {
  run::OwnUse result;
  result.n_own = static_cast<std::int64_t>(own.size());
  if (own.empty()) return result;
  EvaluationOptions full = settings.evaluation;
  full.density = 1;
  const Weights& weights = each.trained.trained;
  result.use_clamped = expert_use(a, each.instance, weights, settings.evaluation, {own, {}})[expert];
  result.use_clamped_full = expert_use(a, each.instance, weights, full, {own, {}})[expert];
  result.use_only = expert_use(a, each.instance, weights, settings.evaluation, {{}, own})[expert];
  return result;
}

std::vector<run::SpecializationRow> rows_of(const SweepSettings& settings, const SweepInstance& each, std::size_t idx) {
  if (each.trained.diverged_step) return {};
  const Architecture& a = settings.architectures[static_cast<std::size_t>(each.architecture_idx)].architecture;
  const InstanceMeasures measures = measure(settings, each);
  std::vector<run::SpecializationRow> rows;
  for (std::size_t e = 0; e < measures.experts.size(); ++e) {
    const stats::ExpertMeasures& expert = measures.experts[e];
    std::vector<std::int64_t> own, published;
    for (std::size_t i = 0; i < expert.features.size(); ++i) {
      if (expert.features[i].is_monosemantic) own.push_back(static_cast<std::int64_t>(i));
      if (expert.features[i].is_monosemantic_published) published.push_back(static_cast<std::int64_t>(i));
    }
    run::SpecializationRow& row = rows.emplace_back();
    row.instance = static_cast<std::int64_t>(idx);
    row.architecture = a.name;
    row.density = each.instance.density;
    row.replicate = each.replicate;
    row.expert = static_cast<std::int64_t>(e);
    row.status = stats::expert_status_word(expert.status);
    row.use = each.evaluation.use[e];
    row.own = own_use(a, settings, each, e, own);
    row.own_published = published == own ? row.own : own_use(a, settings, each, e, published);
  }
  return rows;
}

}  // namespace

void write_specialization(const SweepResult& result, const std::filesystem::path& out, int n_threads) {
  std::vector<std::vector<run::SpecializationRow>> all(result.instances.size());
  parallel_for(all.size(), n_threads,
               [&](std::size_t i) { all[i] = rows_of(result.settings, result.instances[i], i); });
  std::vector<run::SpecializationRow> rows;
  for (const auto& of_instance : all) rows.insert(rows.end(), of_instance.begin(), of_instance.end());
  run::write_table(out, "specialization", rows);
}

}  // namespace moescope::toy
