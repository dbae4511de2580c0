#include "moescope/report/compare/probe_aggregates.h"

#include <algorithm>
#include <numeric>

#include "moescope/stats/bootstrap.h"
#include "moescope/stats/rank.h"

namespace moescope::report {

namespace {

std::optional<stats::Estimate> mean_of(const std::vector<double>& values, const BootstrapOptions& options) {
  return stats::bootstrap_mean(values, options.n_resamples, options.seed);
}

double best_of(const std::vector<ProbeScore>& scores) {
  return std::max_element(scores.begin(), scores.end(),
                          [](const ProbeScore& a, const ProbeScore& b) { return a.f1 < b.f1; })
      ->f1;
}

double mean_of(const std::vector<ProbeScore>& scores) {
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0,
                                     [](double total, const ProbeScore& score) { return total + score.f1; });
  return sum / static_cast<double>(scores.size());
}

}  // namespace

const char* aggregate_word(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kBestExpert: return "best_expert";
    case Aggregate::kRandomExpert: return "random_expert";
    case Aggregate::kMeanExpert: return "mean_expert";
  }
  return "";
}

const char* aggregate_title(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kBestExpert: return "best of all experts";
    case Aggregate::kRandomExpert: return "random expert";
    case Aggregate::kMeanExpert: return "mean expert";
  }
  return "";
}

std::optional<double> best_layer_f1(const LayerScores& scores, Aggregate aggregate) {
  if (aggregate == Aggregate::kRandomExpert) {
    std::vector<std::vector<double>> groups;
    for (const auto& layer : scores) {
      groups.emplace_back();
      for (const ProbeScore& score : layer) groups.back().push_back(score.f1);
    }
    return stats::expected_max(groups);
  }
  std::optional<double> best;
  for (const auto& layer : scores) {
    if (layer.empty()) continue;
    const double of_layer = aggregate == Aggregate::kBestExpert ? best_of(layer) : mean_of(layer);
    if (!best || of_layer > *best) best = of_layer;
  }
  return best;
}

std::optional<BestProbe> best_probe(const ProbeTable& table, std::size_t concept_idx, std::size_t k_idx) {
  std::optional<BestProbe> best;
  const LayerScores& scores = table.scores[concept_idx][k_idx];
  for (std::size_t layer = 0; layer < scores.size(); ++layer) {
    for (const ProbeScore& score : scores[layer]) {
      if (!best || score.f1 > best->f1) best = {table.layers[layer], score.expert, score.f1};
    }
  }
  return best;
}

ConceptValues best_layer_by_concept(const ProbeTable& table, std::size_t k_idx, Aggregate aggregate) {
  ConceptValues values;
  for (std::size_t c = 0; c < table.concepts.size(); ++c) {
    if (const auto f1 = best_layer_f1(table.scores[c][k_idx], aggregate)) values[table.concepts[c]] = *f1;
  }
  return values;
}

std::optional<stats::Estimate> mean_over_concepts(const ConceptValues& values, const BootstrapOptions& options) {
  std::vector<double> list;
  for (const auto& [name, value] : values) list.push_back(value);
  return mean_of(list, options);
}

std::optional<stats::Estimate> mean_difference(const ConceptValues& a, const ConceptValues& b,
                                               const BootstrapOptions& options) {
  std::vector<double> list;
  for (const auto& [name, value] : a) {
    const auto found = b.find(name);
    if (found != b.end()) list.push_back(value - found->second);
  }
  return mean_of(list, options);
}

std::vector<CloseExperts> experts_per_concept(const ProbeTable& table) {
  std::vector<CloseExperts> rows;
  for (std::size_t c = 0; c < table.concepts.size(); ++c) {
    for (std::size_t k = 0; k < table.ks.size(); ++k) {
      const auto best = best_probe(table, c, k);
      for (std::size_t layer = 0; layer < table.layers.size(); ++layer) {
        const auto& scores = table.scores[c][k][layer];
        if (scores.empty()) continue;
        CloseExperts row;
        row.concept_name = table.concepts[c];
        row.k = table.ks[k];
        row.layer = table.layers[layer];
        row.best_f1 = best_of(scores);
        row.n_fitted = static_cast<std::int64_t>(scores.size());
        row.n_close = std::count_if(scores.begin(), scores.end(),
                                    [&](const ProbeScore& score) { return score.f1 >= kCloseFrac * row.best_f1; });
        row.is_best_layer = best && best->layer == row.layer;
        rows.push_back(row);
      }
    }
  }
  return rows;
}

namespace {

struct Selected {
  std::int64_t layer = 0;
  const ProbeScore* score = nullptr;  // null: nothing has a validation score
};

Selected select_on_validation(const ProbeTable& select, std::size_t concept_idx, std::size_t k_idx) {
  Selected chosen;
  const LayerScores& layers = select.scores[concept_idx][k_idx];
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (const ProbeScore& score : layers[l]) {
      if (!score.validation_f1) continue;
      if (chosen.score == nullptr || *score.validation_f1 > *chosen.score->validation_f1) {
        chosen = {select.layers[l], &score};
      }
    }
  }
  return chosen;
}

const ProbeScore* find_probe(const ProbeTable& table, std::size_t concept_idx, std::size_t k_idx, std::int64_t layer,
                             std::int32_t expert) {
  const auto place = std::find(table.layers.begin(), table.layers.end(), layer);
  if (place == table.layers.end()) return nullptr;
  const auto& scores = table.scores[concept_idx][k_idx][static_cast<std::size_t>(place - table.layers.begin())];
  const auto found =
      std::find_if(scores.begin(), scores.end(), [&](const ProbeScore& score) { return score.expert == expert; });
  return found == scores.end() ? nullptr : &*found;
}

}  // namespace

ConceptValues selected_f1(const ProbeTable& select, std::size_t k_idx) {
  ConceptValues values;
  for (std::size_t c = 0; c < select.concepts.size(); ++c) {
    const Selected chosen = select_on_validation(select, c, k_idx);
    if (chosen.score != nullptr) values[select.concepts[c]] = chosen.score->f1;
  }
  return values;
}

ConceptValues selected_selectivity(const ProbeTable& select, const ProbeTable& shuffled, std::size_t select_k_idx,
                                   std::size_t shuffled_k_idx) {
  ConceptValues values;
  for (std::size_t c = 0; c < select.concepts.size(); ++c) {
    const Selected chosen = select_on_validation(select, c, select_k_idx);
    const auto other = shuffled.concept_idx(select.concepts[c]);
    if (chosen.score == nullptr || !other) continue;
    const ProbeScore* same = find_probe(shuffled, *other, shuffled_k_idx, chosen.layer, chosen.score->expert);
    if (same != nullptr) values[select.concepts[c]] = chosen.score->f1 - same->f1;
  }
  return values;
}

ConceptValues rank_agreement(const ProbeTable& a, const ProbeTable& b, std::size_t k_idx_a, std::size_t k_idx_b) {
  ConceptValues values;
  for (std::size_t c = 0; c < a.concepts.size(); ++c) {
    const auto other = b.concept_idx(a.concepts[c]);
    if (!other) continue;
    std::vector<double> x, y;
    for (std::size_t layer = 0; layer < a.layers.size(); ++layer) {
      const auto found = std::find(b.layers.begin(), b.layers.end(), a.layers[layer]);
      if (found == b.layers.end()) continue;
      const auto& theirs = b.scores[*other][k_idx_b][static_cast<std::size_t>(found - b.layers.begin())];
      for (const ProbeScore& score : a.scores[c][k_idx_a][layer]) {
        const auto match = std::find_if(theirs.begin(), theirs.end(),
                                        [&](const ProbeScore& one) { return one.expert == score.expert; });
        if (match == theirs.end()) continue;
        x.push_back(score.f1);
        y.push_back(match->f1);
      }
    }
    if (const auto rho = stats::rank_correlation(x, y)) values[a.concepts[c]] = *rho;
  }
  return values;
}

}  // namespace moescope::report
