#include "moescope/report/run/token_dictionary.h"

#include <algorithm>

namespace moescope::report {

void TokenDictionary::freeze() {
  ids_.clear();
  for (std::size_t id = 0; id < n_uses_.size(); ++id) {
    if (n_uses_[id] > 0) ids_.push_back(static_cast<std::int32_t>(id));
  }
  std::stable_sort(ids_.begin(), ids_.end(), [&](std::int32_t a, std::int32_t b) {
    return n_uses_[static_cast<std::size_t>(a)] > n_uses_[static_cast<std::size_t>(b)];
  });
  local_.assign(n_uses_.size(), 0);
  for (std::size_t i = 0; i < ids_.size(); ++i) local_[static_cast<std::size_t>(ids_[i])] = i;
}

}  // namespace moescope::report
