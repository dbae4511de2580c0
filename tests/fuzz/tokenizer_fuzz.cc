#include <cstddef>
#include <cstdint>

#ifdef MOESCOPE_WITH_TEXT
#include "tests/fuzz/tokenizer_target.h"
#endif

extern "C" int LLVMFuzzerTestOneInput([[maybe_unused]] const std::uint8_t* data, [[maybe_unused]] std::size_t size) {
#ifdef MOESCOPE_WITH_TEXT
  moescope::text::fuzz::tokenizer({reinterpret_cast<const char*>(data), size});
#endif
  return 0;
}
