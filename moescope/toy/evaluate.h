// Held-out measurements of a trained instance, one input at a time in plain loops and float64: the readable form of the
// model.
//
// Scores and choice of experts are float32 as in training; everything else is float64. Inputs come from the instance's
// own evaluation stream (draws.h), so that results depend on nothing but the instance.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "moescope/toy/instance.h"

namespace moescope::toy {

struct EvaluationOptions {
  std::int64_t n_samples = 8192;
  double density = 0;  // of evaluation inputs; 0: the instance's own

  void describe(OptionList& list);
};

// Throws as check() does, kUsage for more samples than can be numbered.
Evaluation evaluate(const Architecture& architecture, const Training& training, const Instance& instance,
                    const Weights& weights, const EvaluationOptions& options);

// Inputs changed before they are routed, to ask what attracts an expert.
struct ChangedInputs {
  std::vector<std::int64_t> clamped;  // these features are set to 1 in otherwise random inputs
  std::vector<std::int64_t> only;     // not empty: only these are on, all with one shared value U[0, 1); the rest is 0
};

// [E] share of inputs with e in K under a change. With no change it is Evaluation::use.
std::vector<double> expert_use(const Architecture& architecture, const Instance& instance, const Weights& weights,
                               const EvaluationOptions& options, const ChangedInputs& change);

// One input through the model.
struct Forward {
  std::vector<double> gate;         // [E] g_e, 0 outside K
  std::vector<unsigned char> in_k;  // [E]
  std::vector<double> x_hat;        // [n]
};
// `tie_word`: the random word of TieRule::kRandom.
Forward forward(const Architecture& architecture, const Instance& instance, const Weights& weights,
                std::span<const float> x, std::uint32_t tie_word);

}  // namespace moescope::toy
