#include "moescope/cli/heap.h"

#include <limits>  // also says whether this is glibc

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace moescope::cli {

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 256 << 20);
#endif
}

}  // namespace moescope::cli
