#include "moescope/base/error.h"

namespace moescope::detail {

void assertion_failed(const char* condition, const char* file, int line) {
  throw std::logic_error(
      fmt::format("internal error at {}:{}: {} does not hold; please report it", file, line, condition));
}

}  // namespace moescope::detail
