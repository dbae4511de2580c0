// 128-bit XXH3 content hashes as hexadecimal text, for run.json and for resuming: is this the same model, the same
// corpus? Not a cryptographic hash: it finds accidents, not forgeries.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace moescope {

// Hash of one piece of memory: 32 hexadecimal digits.
std::string content_hash(std::string_view bytes);

// Hash of a stream of pieces; equal to content_hash of their concatenation.
class ContentHasher {
 public:
  ContentHasher();
  ~ContentHasher();
  ContentHasher(ContentHasher&&) noexcept;
  ContentHasher& operator=(ContentHasher&&) noexcept;

  void add(std::string_view bytes);
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace moescope
