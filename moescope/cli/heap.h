// How the heap of the whole process treats large buffers that are freed: for the program to choose, never the library.
#pragma once

namespace moescope::cli {

// Keeps freed memory in the process instead of giving it back page by page. A training step frees and takes the same
// large buffers again and again; without this the kernel clears those pages every time.
// The process's size stays at its peak. Does nothing where the C library has no such switch.
void keep_freed_memory();

}  // namespace moescope::cli
