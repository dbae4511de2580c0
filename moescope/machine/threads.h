// How many threads LibTorch uses for one operation. Its pool belongs to the process and cannot be chosen per call, so
// no function of the library touches it: a program sizes it once, before it computes (tests/project holds that).
#pragma once

namespace moescope::machine {

// 0 leaves what LibTorch chose, which is all processors (or OMP_NUM_THREADS).
void set_process_threads(int n_threads);

}  // namespace moescope::machine
