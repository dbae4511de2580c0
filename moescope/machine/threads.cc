#include "moescope/machine/threads.h"

#include <ATen/Parallel.h>

namespace moescope::machine {

void set_process_threads(int n_threads) {
  if (n_threads > 0) at::set_num_threads(n_threads);
}

}  // namespace moescope::machine
