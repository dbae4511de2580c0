// Kernels for x86-64-v4 (AVX-512); CMake gives this file the options.
#define MOESCOPE_LANES_WIDTH 16
#include "moescope/toy/lanes_kernel.h"

namespace moescope::toy {

LaneKernels lane_kernels_v4() { return kernels_of_this_file("v4"); }

}  // namespace moescope::toy
