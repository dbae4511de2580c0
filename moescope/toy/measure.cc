#include "moescope/toy/measure.h"

#include "moescope/base/error.h"

namespace moescope::toy {

stats::FeatureMatrix expert_matrix(const Architecture& a, const Weights& weights, std::int64_t expert) {
  const auto size = static_cast<std::size_t>(a.n_features * a.n_dims);
  return {std::span(weights.w).subspan(static_cast<std::size_t>(expert) * size, size), a.n_features, a.n_dims};
}

InstanceMeasures measure(const SweepSettings& settings, const SweepInstance& instance) {
  MOESCOPE_ASSERT(!instance.trained.diverged_step && !instance.evaluation.use.empty());
  const Architecture& a = settings.architectures[static_cast<std::size_t>(instance.architecture_idx)].architecture;
  const Evaluation& held_out = instance.evaluation;
  const auto n = static_cast<std::ptrdiff_t>(a.n_features);
  const double density = settings.evaluation.density > 0 ? settings.evaluation.density : instance.instance.density;
  const std::vector<double> densities(static_cast<std::size_t>(n), density);
  InstanceMeasures measures;
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const auto idx = static_cast<std::size_t>(e);
    const auto row = [&](const std::vector<double>& all) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(e) * n;
      return std::vector<double>(begin, begin + n);
    };
    stats::ExpertUse use;
    use.share = held_out.use[idx];
    use.share_of_nonzero = held_out.n_nonzero > 0 ? held_out.use_nonzero[idx] : 0;
    use.mean_gain = held_out.mean_gate[idx];
    use.gain = row(held_out.gain);
    use.share_of_feature = row(held_out.use_given_feature);
    measures.experts.push_back(stats::expert_measures(expert_matrix(a, instance.trained.trained, e), use, densities));
    measures.uses.push_back(std::move(use));
  }
  measures.model = stats::model_measures(measures.experts, measures.uses, a.n_dims, a.n_active);
  return measures;
}

}  // namespace moescope::toy
