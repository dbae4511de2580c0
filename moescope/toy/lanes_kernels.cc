// The training step of lanes_kernel.h, compiled by Highway for several vector widths.
#include "moescope/toy/lanes_view.h"
#include "moescope/toy/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "moescope/toy/lanes_kernels.cc"
#include <hwy/foreach_target.h>  // includes this file once a target
#include <hwy/highway.h>

#include "moescope/toy/lanes_kernel.h"

#if HWY_ONCE
namespace moescope::toy {

HWY_EXPORT(kernels_of_target);

LaneKernels lane_kernels() { return HWY_DYNAMIC_DISPATCH(kernels_of_target)(); }

}  // namespace moescope::toy
#endif  // HWY_ONCE
