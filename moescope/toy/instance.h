// One toy model among thousands: what makes it, what training gives, what a held-out measurement says of it. Plain
// values.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moescope/toy/architecture.h"

namespace moescope::toy {

// What distinguishes instances of one architecture.
struct Instance {
  double density = 1;             // P(feature is active), (0, 1]; 1 - density is the feature sparsity S
  std::vector<float> importance;  // [n] >= 0, finite: weight of every feature in the loss
  std::uint64_t seed = 0;         // of initial values, hash router, training and evaluation inputs
};

// Throws kInput: density outside (0, 1], importance of another length, negative or not finite.
void check(const Architecture& architecture, const Instance& instance);

// Row-major.
struct Weights {
  std::vector<float> w;     // [E, n, m]
  std::vector<float> b;     // [E, n]
  std::vector<float> gate;  // [E, n]
};

// One line of a loss curve: the training loss of that step's batch, balance term included, before the update.
struct LossPoint {
  std::int64_t step = 0;  // 0-based
  float loss = 0;
};

struct TrainedInstance {
  Weights initial;
  Weights trained;                            // of the last step; as it was when divergence was seen
  std::optional<std::int64_t> diverged_step;  // the first step whose loss was not finite or above kDivergedLoss
  float last_batch_loss = 0;          // of the last step's batch, balance term included: the published choice of seeds
  std::vector<LossPoint> loss_curve;  // steps 0, loss_every, 2 loss_every, ... and the last
  double router_gradient_norm = 0;    // mean over steps of ||dL/dG||_2
  double router_drift = 0;            // ||G_T - (1 - lr wd)^T G_0||_2: what is not weight decay
};

inline constexpr float kDivergedLoss = 1e6F;

// Measured on fresh inputs that training never saw. NaN stands where there was no such input; tables say why in words.
struct Evaluation {
  std::int64_t n_samples = 0;
  std::int64_t n_nonzero = 0;       // inputs with an active feature
  double loss = 0;                  // reconstruction only, of the training's LossKind
  double loss_sd = 0;               // standard deviation over inputs, for its standard error loss_sd / sqrt(n_samples)
  std::vector<double> use;          // [E] share of all inputs with e in K; they sum to k (less where x = 0 is excluded)
  std::vector<double> use_nonzero;  // [E] the same of inputs with an active feature
  std::vector<double> use_given_feature;  // [E, n] P(e in K | x_i > 0): alpha_i^e
  std::vector<double> density_in_expert;  // [E, n] P(x_i > 0 | e in K): the density that expert e sees
  std::vector<double> gain;               // [E, n] mean of g_e where e in K and x_i > 0
  std::vector<double> mean_gate;          // [E] mean of g_e over all inputs
  std::vector<double> r2;                 // [n] 1 - mean (x_i - x_hat_i)^2 / variance of x_i
};

}  // namespace moescope::toy
