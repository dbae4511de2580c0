#include "moescope/label/scoring/target.h"

#include <algorithm>
#include <limits>

#include "moescope/base/error.h"

namespace moescope::label {

float half_score_threshold(std::vector<float> scores) {
  std::sort(scores.begin(), scores.end(), std::greater<>());
  double total = 0;
  for (float score : scores) total += static_cast<double>(score);
  if (total <= 0) return std::numeric_limits<float>::infinity();
  double sum = 0;
  for (float score : scores) {
    sum += static_cast<double>(score);
    if (sum >= kScoreShare * total) return score;
  }
  return scores.back();
}

std::vector<Target> make_targets(const TracedRun& run, const LayerRouting& routing, const TokenSplit& split,
                                 bool any_routing) {
  const auto k = static_cast<std::size_t>(run.n_experts_per_token);
  MOESCOPE_ASSERT(routing.expert_ids.size() == split.n_rows() * k && routing.scores.size() == split.n_rows() * k);
  struct Routed {
    std::uint32_t row;
    float score;
  };
  std::vector<std::vector<Routed>> routed(static_cast<std::size_t>(run.n_experts));
  for (std::size_t row = 0; row < split.n_rows(); ++row) {
    const std::size_t token = split.token_of_row[row];
    for (std::size_t i = 0; i < k; ++i) {
      const auto expert = static_cast<std::size_t>(routing.expert_ids[token * k + i]);
      auto& list = routed[expert];
      const float score = routing.scores[token * k + i];
      if (!list.empty() && list.back().row == row) {
        list.back().score = std::max(list.back().score, score);  // one expert named twice for a token
      } else {
        list.push_back({static_cast<std::uint32_t>(row), score});
      }
    }
  }
  const bool has_shared = !routing.shared_scores.empty();
  if (has_shared) {
    MOESCOPE_ASSERT(routing.shared_scores.size() == split.n_rows());
    auto& all = routed.emplace_back();
    for (std::size_t row = 0; row < split.n_rows(); ++row) {
      all.push_back({static_cast<std::uint32_t>(row), routing.shared_scores[split.token_of_row[row]]});
    }
  }
  std::vector<Target> targets(routed.size());
  for (std::size_t e = 0; e < routed.size(); ++e) {
    const bool is_shared = has_shared && e + 1 == routed.size();
    std::vector<float> explain_scores;
    for (const Routed& token : routed[e]) {
      if (token.row < split.n_explain) explain_scores.push_back(token.score);
    }
    Target& target = targets[e];
    target.n_routed = static_cast<std::int64_t>(routed[e].size());
    target.threshold = any_routing && !is_shared ? 0 : half_score_threshold(std::move(explain_scores));
    for (const Routed& token : routed[e]) {
      if (token.score >= target.threshold) {
        target.positive.push_back(token.row);
      } else if (!is_shared) {
        target.left_out.push_back(token.row);
      }
    }
  }
  return targets;
}

}  // namespace moescope::label
