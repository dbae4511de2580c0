// Measures of superposition: how the feature vectors of one expert share its hidden dimensions. One place for every
// definition that toy models and trained language models use.
//
// Letters: n features, m hidden dimensions of ONE expert, W [n, m] with one row W_i a feature (tied weights: the expert
// computes ReLU(W W^T x + b)), Wh_i = W_i / ||W_i||, E experts, K the set of the k active ones, g_e their weights.
//
// Conventions
// - Feature: an input coordinate x_i of a toy model (ground truth). For language models analysis/superpose says which
//   direction stands for a feature.
// - Zero vector: ||W_i|| <= kZeroNorm. It has no direction: dimensionality is absent, interference is 0 (as published).
// - Gain. With k >= 2 the weights g_e ~ 1/k scale what an expert writes, and training answers with longer vectors. The
//   gain of feature i in expert e is E[g_e | e in K, x_i > 0]; q_i = ||W_i||^2 * gain_i is the share of x_i that e puts
//   back. Rows scaled by sqrt(gain_i) are "as used". Raw numbers are named `raw` or carry no suffix, the others `used`.
//   With k = 1 and renormalised weights the gain is exactly 1 and both agree.
// - All sums in float64 over float32 weights, loops in a fixed order: the same numbers on every machine.
//
// Source: "Sparsity and Superposition in Mixture of Experts" (arXiv 2510.23671) and its code; Elhage et al. 2022, "Toy
// Models of Superposition". Where text and code of the first differ, both are here, each with a name of its own.
// Non-goals: drawing inputs and training (room toy), maps over many models (phase.h), intervals (clustered.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace moescope::stats {

inline constexpr double kZeroNorm = 1e-6;          // a shorter row has no direction
inline constexpr double kMonosemanticBound = 0.2;  // P_i below: monosemantic (published)

// A view of W: row-major [n, m] f32, finite. n, m > 0.
struct FeatureMatrix {
  std::span<const float> rows;
  std::int64_t n_features = 0;
  std::int64_t n_dims = 0;
};

// Of one feature in one expert. Three published quantities are called "superposition"; here each has its own name.
struct FeatureMeasures {
  double norm = 0;                       // ||W_i||, >= 0; near 1 for a feature that is put back alone with gain 1
  double interference = 0;               // P_i = sqrt(sum_{j != i} (Wh_i . W_j)^2), >= 0; 0: alone; antipodal pair: 1
  double interference_squared = 0;       // P_i^2: this project's score of superposition
  double score_with_self = 0;            // phase maps' score: P_i^2 + ||W_i||^2, all j; clean unit feature 1, pair 2
  double net_interference = 0;           // sum_{j != i} density_j (Wh_i . W_j)^2: in the published code, never shown
  std::optional<double> dimensionality;  // D_i = ||W_i||^2 / sum_j (Wh_i . W_j)^2 in (0, 1]; absent for a zero vector
};

// All features of one expert. `density` is P(x_j > 0), [n] or empty (then net_interference is 0). Throws kInput if the
// sizes do not fit, a weight is not finite, or a density lies outside [0, 1].
std::vector<FeatureMeasures> feature_measures(const FeatureMatrix& w, std::span<const double> density = {});

// W_i . W_j, row-major [n, n], symmetric ("W^T W" in the paper's layout).
std::vector<double> gram_matrix(const FeatureMatrix& w);

// Rows scaled by sqrt(gain_i) ("as used"). gain: [n], >= 0. Rows whose gain is NaN (never seen) become 0.
std::vector<float> scale_by_gain(const FeatureMatrix& w, std::span<const double> gain);

// Classes of this project's fixed rule, on rows as used: ignored if ||W_i|| < 0.5, else monosemantic if P_i^2 < 0.25,
// else superposed. (The published figures have no rule, only a colour: phase.h.)
enum class FeatureClass { kIgnored, kMonosemantic, kSuperposed };
inline constexpr double kRepresentedNorm = 0.5;  // as used; q = norm^2 > 1/4
inline constexpr double kSuperposedInterference2 = 0.25;
FeatureClass feature_class(const FeatureMeasures& used);
const char* feature_class_word(FeatureClass feature_class);  // "ignored", "monosemantic", "superposed"

// The published rule: P_i < 0.2 of the raw rows, whatever the norm. Untrained short rows pass it.
bool is_monosemantic_published(const FeatureMeasures& raw);
// This project's: rows as used, norm > 0.5 and P_i < 0.2, in an expert that more than 1% of the non-zero inputs reach.
inline constexpr double kLeastUsage = 0.01;
bool is_monosemantic(const FeatureMeasures& used, double usage_of_nonzero_inputs);

// What held-out inputs tell about one expert. Shares are in [0, 1].
struct ExpertUse {
  double share = 1;                      // P(e in K) over all inputs; sums to k over experts
  double share_of_nonzero = 1;           // P(e in K | x != 0)
  double mean_gain = 1;                  // u_e = E[g_e] over all inputs, 0 where it is not active
  std::vector<double> gain;              // [n] E[g_e | e in K, x_i > 0]; NaN: never seen together. Empty: all 1
  std::vector<double> share_of_feature;  // [n] alpha_i = P(e in K | x_i > 0); NaN: x_i was never on. Empty: `share`
};

enum class ExpertStatus {
  kOk,
  kRarelyUsed,  // at most 1% of the non-zero inputs: numbers exist, the expert is not counted as monosemantic
  kNeverUsed,   // no input: only raw numbers of its weights exist
};
const char* expert_status_word(ExpertStatus status);  // "ok", "rarely_used", "never_used"

struct ExpertFeature {
  FeatureMeasures raw;
  FeatureMeasures used;                       // of rows as used; all 0 where the gain is not known
  std::optional<double> gain_norm_squared;    // q_i = ||W_i||^2 * gain_i; absent: never seen together
  std::optional<double> conditional_density;  // P(x_i > 0 | e in K) = alpha_i density_i / P(e in K), at most 1
  FeatureClass feature_class = FeatureClass::kIgnored;
  bool is_represented = false;   // q_i > 1/4
  bool is_monosemantic = false;  // this project's rule
  bool is_monosemantic_published = false;
};

struct ExpertMeasures {
  ExpertStatus status = ExpertStatus::kOk;
  std::vector<ExpertFeature> features;          // [n]
  double features_per_dimension = 0;            // FPD_e = ||W_e||_F^2 / m, raw
  double sum_dimensionality = 0;                // sum_i D_i: = m in a trained expert; no measure of superposition
  std::optional<double> gain_features_per_dim;  // sum_i q_i / m; absent if never used
  std::optional<double> mean_dimensionality;    // mean raw D_i over represented features; absent without any
  std::int64_t n_represented = 0, n_monosemantic = 0, n_monosemantic_published = 0;
};

// density: P(x_i > 0) of the inputs, [n] or empty (all 1). Throws as feature_measures, and kInput for a `use` of
// another size or with shares outside [0, 1].
ExpertMeasures expert_measures(const FeatureMatrix& w, const ExpertUse& use, std::span<const double> density = {});

// A whole model: E experts, k of them active. The dense model is E = k = 1 with the default ExpertUse.
struct ModelMeasures {
  // FPD as published: (1/k) sum_e u_e ||W_e||_F^2 / m with u_e = E[g_e]. m is the dimensions of one expert.
  double published = 0;
  // sum_e w_e sum_i q_i / m, w_e = P(e in K) / sum_e P(e in K): gains measured, not assumed to be 1/k, so that gates
  // of different kinds compare. What several active experts share is counted once (their q add up to about 1).
  double gain_corrected = 0;
  // sum_e w_e #{i: q_i > 1/4} / m: a count, in which every expert that holds a feature counts it.
  double represented = 0;
  std::int64_t n_represented = 0;             // features that at least one used expert holds (union)
  double per_total_dimension = 0;             // n_represented / (E m)
  std::optional<double> mean_dimensionality;  // usage-weighted (w_e) mean of raw D_i over represented features
  std::vector<double> global_dimensionality;  // [n] sum_e alpha_i^e D_i^e, alpha = P(e in K | x_i > 0); sums k experts
  std::vector<double> global_unconditional;   // [n] the older published variant: alpha = P(e in K)
  std::int64_t n_without_dimensionality = 0;  // (e, i) with alpha > 0 and a zero vector; they add 0 to the sums
  std::int64_t n_never_used = 0, n_rarely_used = 0;  // experts
  std::int64_t n_monosemantic = 0;                   // (expert, feature) pairs, this project's rule
  std::int64_t n_monosemantic_distinct = 0;          // features that are so in at least one expert
  std::int64_t n_monosemantic_published = 0;         // pairs, published rule
};

// experts and uses: [E], as given to and by expert_measures. n_dims: m. 1 <= n_active <= E. Throws kInput otherwise.
ModelMeasures model_measures(std::span<const ExpertMeasures> experts, std::span<const ExpertUse> uses,
                             std::int64_t n_dims, std::int64_t n_active);

}  // namespace moescope::stats
