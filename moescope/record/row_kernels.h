// Per-row measures of an expert's activations, one pass over memory on the CPU, plain tensor operations elsewhere.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace moescope::record {

// x [M, D] -> M L2 norms, summed in float32.
std::vector<float> row_norms(const at::Tensor& x);

// How many neurons of a batch of rows were active, summed over rows.
struct NeuronActivity {
  std::int64_t n_nonzero = 0;   // |a| > 0
  std::int64_t n_above_01 = 0;  // |a| > 0.1 x the largest |a| among the same token's neurons of this expert
};
NeuronActivity neuron_activity(const at::Tensor& neurons);  // [M, F]

}  // namespace moescope::record
