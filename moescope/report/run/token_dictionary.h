// Numbers for the tokens that a page uses: the more often used, the smaller, so that LEB128 keeps them short.
#pragma once

#include <cstdint>
#include <vector>

namespace moescope::report {

// First use() for every occurrence, then freeze(), then local(). Not thread-safe.
class TokenDictionary {
 public:
  explicit TokenDictionary(std::size_t n_vocab) : n_uses_(n_vocab, 0) {}

  void use(std::int32_t id) { ++n_uses_[static_cast<std::size_t>(id)]; }
  void freeze();
  std::uint64_t local(std::int32_t id) const { return local_[static_cast<std::size_t>(id)]; }
  const std::vector<std::int32_t>& ids() const { return ids_; }  // by local number

 private:
  std::vector<std::int64_t> n_uses_;
  std::vector<std::uint64_t> local_;
  std::vector<std::int32_t> ids_;
};

}  // namespace moescope::report
