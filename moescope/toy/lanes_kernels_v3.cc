// Kernels for x86-64-v3 (AVX2 and FMA); CMake gives this file the options.
#define MOESCOPE_LANES_WIDTH 8
#include "moescope/toy/lanes_kernel.h"

namespace moescope::toy {

LaneKernels lane_kernels_v3() { return kernels_of_this_file("v3"); }

}  // namespace moescope::toy
