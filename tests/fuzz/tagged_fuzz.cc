#include <cstddef>
#include <cstdint>

#include "tests/fuzz/io_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  moescope::io::fuzz::tagged({reinterpret_cast<const char*>(data), size});
  return 0;
}
