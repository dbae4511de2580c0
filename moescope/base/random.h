// Seeded random numbers that are the same on every machine and do not depend on threads or on batching.
//
// Counter-free hashing (hash64) gives one random number a key, so that "is item i sampled" has one answer whatever the
// order of work; Random is a stream for sequential use. Algorithm: SplitMix64 (Steele, Lea, Flood 2014).
// Non-goal: cryptography.
#pragma once

#include <cstdint>

namespace moescope {

__extension__ using uint128 = unsigned __int128;

// The SplitMix64 finaliser: a bijection of 64-bit words that passes as random.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// One random word for a seed and up to three keys.
constexpr std::uint64_t hash64(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0) {
  return mix64(mix64(mix64(mix64(seed) ^ a) ^ b) ^ c);
}

// A stream of random numbers. Cheap to copy; not thread-safe.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    const std::uint64_t word = mix64(state_);
    state_ += 0x9E3779B97F4A7C15ull;
    return word;
  }

  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  // Uniform in [0, n); n > 0. Lemire's multiply-shift, bias below n / 2^64.
  std::uint64_t below(std::uint64_t n) { return static_cast<std::uint64_t>((static_cast<uint128>(next()) * n) >> 64); }

  std::uint64_t state() const { return state_; }

 private:
  std::uint64_t state_;
};

}  // namespace moescope
