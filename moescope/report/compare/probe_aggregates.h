// How well k neurons of one expert tell a concept: what `moescope compare` computes from tables of probes.
//
// Three aggregates, side by side because what is compared decides the claim: the best of all experts and layers (as
// published; biased upward where there are many experts), a random expert in each layer and then the best layer (exact
// expectation over draws), and the layer's mean expert and then the best layer. For a dense model the three are equal.
// A probe that was not fitted (too few samples) takes no part; a concept without any fitted probe has no value.
// Intervals are over concepts (bootstrap); a difference of two models is over their common concepts, paired.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/report/compare/probe_table.h"
#include "moescope/stats/interval.h"

namespace moescope::report {

enum class Aggregate { kBestExpert, kRandomExpert, kMeanExpert };
inline constexpr std::array kAggregates = {Aggregate::kBestExpert, Aggregate::kRandomExpert, Aggregate::kMeanExpert};
const char* aggregate_word(Aggregate aggregate);   // "best_expert", "random_expert", "mean_expert"
const char* aggregate_title(Aggregate aggregate);  // for figures

struct BootstrapOptions {
  std::int64_t n_resamples = 2000;
  std::uint64_t seed = 1;
};

std::optional<double> best_layer_f1(const LayerScores& scores, Aggregate aggregate);

// Where the largest F1 stands; ties go to the lower layer and expert.
struct BestProbe {
  std::int64_t layer = 0;
  std::int32_t expert = 0;
  double f1 = 0;
};
std::optional<BestProbe> best_probe(const ProbeTable& table, std::size_t concept_idx, std::size_t k_idx);

// By concept name; concepts without a value are absent.
using ConceptValues = std::map<std::string, double>;
ConceptValues best_layer_by_concept(const ProbeTable& table, std::size_t k_idx, Aggregate aggregate);

// Mean over concepts; empty for none.
std::optional<stats::Estimate> mean_over_concepts(const ConceptValues& values, const BootstrapOptions& options);
// Mean of a - b over the concepts that both have.
std::optional<stats::Estimate> mean_difference(const ConceptValues& a, const ConceptValues& b,
                                               const BootstrapOptions& options);

// Experts of a layer whose F1 is at least kCloseFrac of the best of that layer.
inline constexpr double kCloseFrac = 0.95;
struct CloseExperts {
  std::string concept_name;
  std::int32_t k = 0;
  std::int64_t layer = 0;
  std::int64_t n_close = 0, n_fitted = 0;
  double best_f1 = 0;
  bool is_best_layer = false;  // of the concept at this k
};
std::vector<CloseExperts> experts_per_concept(const ProbeTable& table);

// Control: the expert chosen on the validation part, its F1 on the test part.
ConceptValues selected_f1(const ProbeTable& select, std::size_t k_idx);
// The same less the F1 with permuted labels of that same layer and expert. F1 rises with the share of positives, which
// routing raises in experts that a concept's tokens go to; permuted labels keep that share. Neither side is a maximum.
ConceptValues selected_selectivity(const ProbeTable& select, const ProbeTable& shuffled, std::size_t select_k_idx,
                                   std::size_t shuffled_k_idx);
// Control: rank correlation, over layers and experts, of the F1 of two probe sets of one model.
ConceptValues rank_agreement(const ProbeTable& a, const ProbeTable& b, std::size_t k_idx_a, std::size_t k_idx_b);

}  // namespace moescope::report
