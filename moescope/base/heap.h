// How the heap treats large buffers that are freed.
#pragma once

namespace moescope {

// Keeps freed memory in the process instead of giving it back page by page. A training step frees and takes the same
// large buffers again and again; without this the kernel clears those pages every time.
// The process's size stays at its peak. Does nothing where the C library has no such switch.
void keep_freed_memory();

}  // namespace moescope
