// What a toy model is: the autoencoder of "Toy Models of Superposition" (Elhage et al. 2022) as a mixture of experts,
// and how it is trained. n features, E experts of m hidden dimensions each, k of them active for an input x in [0,1]^n:
//   s = G x,  p = softmax(s),  K = the k largest of s,  g_e = weight of expert e (GateKind) for e in K, else 0
//   y_e = ReLU(W_e W_e^T x + b_e),   x_hat = sum_{e in K} g_e y_e
// with W [E, n, m] (row i of W_e is the direction of feature i in expert e), b [E, n], G [E, n]. E = k = 1 is the dense
// model.
//
// Goals: every choice that papers leave open is a switch here, with its default said; sizes are checked before anything
// is allocated. Non-goals: data other than independent or grouped features, learning-rate schedules.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moescope/base/options.h"

namespace moescope::toy {

enum class GateKind {
  kRenormalized,  // g_e = p_e / sum_{j in K} p_j. With k = 1 it is 1, and reconstruction gives the router no gradient
  kSwitch,        // g_e = p_e
  kFrozen,        // as renormalized, but G keeps its initial value (not even decayed)
  kHash,          // K by a seeded hash of the set of active features, g_e = 1/k; G is not used
};

// Who gets an input whose scores are equal: in practice x = 0, whose scores are all 0. Without effect where k = E.
enum class TieRule {
  kFirst,        // the lower index
  kRandom,       // the order of experts begins at a random one, drawn for every input
  kExcludeZero,  // x = 0 reaches no expert: x_hat = 0, no loss, not counted in the balance; other ties: the lower index
};

enum class BiasInit { kZero, kXavier };  // Xavier: standard deviation sqrt(2 / (n + E)), as published
enum class WeightInit {
  kWholeTensor,  // standard deviation sqrt(2 / ((n + E) m)): Xavier's rule on the tensor [E, n, m], as published
  kPerExpert,    // sqrt(2 / (n + m)): Xavier's rule on every matrix
};
enum class GateInit {
  kXavier,          // normal, standard deviation sqrt(2 / (n + E))
  kZero,            // every input is a tie
  kDiagonal,        // G_ee = 1
  kBlocks,          // expert e has 1 on its block of n/E consecutive features ("ordered k-hot")
  kShuffledBlocks,  // the same for a random partition of the features ("k-hot")
};
enum class LossKind {
  kSum,   // sum over features, mean over the batch
  kMean,  // mean over features and batch
};

// The words of settings files and tables.
constexpr auto words_for(GateKind) {
  return std::to_array<Word<GateKind>>({{GateKind::kRenormalized, "renormalized"},
                                        {GateKind::kSwitch, "switch"},
                                        {GateKind::kFrozen, "frozen"},
                                        {GateKind::kHash, "hash"}});
}
constexpr auto words_for(TieRule) {
  return std::to_array<Word<TieRule>>(
      {{TieRule::kFirst, "first"}, {TieRule::kRandom, "random"}, {TieRule::kExcludeZero, "exclude_zero"}});
}
constexpr auto words_for(BiasInit) {
  return std::to_array<Word<BiasInit>>({{BiasInit::kZero, "zero"}, {BiasInit::kXavier, "xavier"}});
}
constexpr auto words_for(WeightInit) {
  return std::to_array<Word<WeightInit>>(
      {{WeightInit::kWholeTensor, "whole_tensor"}, {WeightInit::kPerExpert, "per_expert"}});
}
constexpr auto words_for(GateInit) {
  return std::to_array<Word<GateInit>>({{GateInit::kXavier, "xavier"},
                                        {GateInit::kZero, "zero"},
                                        {GateInit::kDiagonal, "diagonal"},
                                        {GateInit::kBlocks, "blocks"},
                                        {GateInit::kShuffledBlocks, "shuffled_blocks"}});
}
constexpr auto words_for(LossKind) {
  return std::to_array<Word<LossKind>>({{LossKind::kSum, "sum"}, {LossKind::kMean, "mean"}});
}

struct Architecture {
  std::string name;                    // in tables and tensor names; letters, digits, '-', '_', '.'
  std::int64_t n_features = 2;         // n
  std::int64_t n_dims = 1;             // m, of every expert
  std::int64_t n_experts = 1;          // E
  std::int64_t n_active = 1;           // k
  std::int64_t n_top_activations = 0;  // keep only so many of the m hidden activations of an expert, by size; 0: all
  GateKind gate = GateKind::kRenormalized;
  TieRule ties = TieRule::kFirst;
  BiasInit bias_init = BiasInit::kZero;
  WeightInit weight_init = WeightInit::kWholeTensor;
  GateInit gate_init = GateInit::kXavier;
  // Correlated features: group_size consecutive features form a group. A feature copies "active or not" from its
  // group's draw with probability sqrt(group_correlation), else has a draw of its own; so two of a group correlate by
  // that much, and each is active with the instance's density. 0: independent.
  std::int64_t group_size = 0;
  double group_correlation = 0;

  void describe(OptionList& list);
};

// AdamW as in PyTorch, on all parameters, biases and gate included; the learning rate is constant.
struct Training {
  std::int64_t n_steps = 10000;
  std::int64_t batch = 1024;  // fresh inputs a step
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
  LossKind loss = LossKind::kMean;
  // Adds balance_coef * E * sum_e f_e P_e: f_e the share of the batch with e in K (no gradient), P_e the mean of p_e.
  double balance_coef = 0;

  void describe(OptionList& list);
};

// Throw kUsage with the name of the option and what was expected: sizes below 1 or absurd, more active than experts, an
// initial gate that does not fit the shape, numbers that are not finite.
void check(const Architecture& architecture);
void check(const Training& training);
void check(const Architecture& architecture, const Training& training);  // what does not go together

// Parameters of one instance: E n m + E n + E n.
std::int64_t n_parameters(const Architecture& architecture);

// Whether reconstruction or the balance loss moves G at all.
bool router_receives_gradient(const Architecture& architecture, const Training& training);

}  // namespace moescope::toy
