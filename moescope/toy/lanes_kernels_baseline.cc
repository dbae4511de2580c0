// Kernels for any machine.
#define MOESCOPE_LANES_WIDTH 4
#include "moescope/toy/lanes_kernel.h"

namespace moescope::toy {

LaneKernels lane_kernels_baseline() { return kernels_of_this_file("baseline"); }

}  // namespace moescope::toy
