// Per-row measures of an expert's activations, one pass over memory on the CPU, plain tensor operations elsewhere.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace moescope::record {

// x [M, D] -> M L2 norms, summed in float32.
std::vector<float> row_norms(const at::Tensor& x);

// A score with 14 significant bits (relative error 6e-5 at most). Tokens with equal contexts, such as the first of two
// sequences, have equal scores but for rounding, which depends on what else is in a batch; rounded, they tie, and ties
// are decided by the place in the corpus, so that kept evidence does not depend on the order of work.
float round_score(float score);

// How many neurons of a batch of rows were active, summed over rows.
struct NeuronActivity {
  std::int64_t n_nonzero = 0;   // |a| > 0
  std::int64_t n_above_01 = 0;  // |a| > 0.1 x the largest |a| among the same token's neurons of this expert
};
NeuronActivity neuron_activity(const at::Tensor& neurons);  // [M, F]

}  // namespace moescope::record
