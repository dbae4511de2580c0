// Plain threads for rooms that do not see LibTorch. Work is cut into blocks of fixed bounds, so results that are kept
// per block or per index do not depend on the number of threads.
#pragma once

#include <cstddef>
#include <functional>

namespace moescope {

// Processors this process may use (at least 1).
int hardware_threads();

// Calls body(i) for every i in [0, n) from up to n_threads threads (0: hardware_threads()); items are handed out one at
// a time, so uneven items balance. The first exception of a body stops the hand-out and is rethrown here.
void parallel_for(std::size_t n, int n_threads, const std::function<void(std::size_t)>& body);

}  // namespace moescope
