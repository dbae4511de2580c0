// Runs a check once for every vector target that was compiled and that this machine has (Highway's own way of testing;
// it changes a setting of the process and puts it back).
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#define HWY_WANT_AVX3_DL  // some of our code is compiled for it
#include <hwy/highway.h>

namespace moescope {

template <typename Check>
void for_each_vector_target(const Check& check) {
#ifdef HWY_COMPILE_ONLY_STATIC
  check();
#else
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    check();
  }
  hwy::SetSupportedTargetsForTest(0);
#endif
}

}  // namespace moescope
