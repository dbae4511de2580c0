// Where every random number of a toy model comes from: word number w of stream (seed, kind, step) is word w mod 4 of
// philox({w / 4, step, kind, 0}, {seed's low half, seed's high half}). So a number depends on the instance's seed and
// on its place only, whatever is computed beside it.
//
// An input takes `stride` consecutive words of its step's stream, in the order of InputLayout. A feature needs one:
// with r = (word >> 8) / 2^24 it is active iff r < density, and r / density is then its value, uniform in [0, 1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "moescope/toy/instance.h"
#include "moescope/toy/philox.h"

namespace moescope::toy {

enum class Stream : std::uint32_t {
  kInitial = 0,     // parameter q of (W, b, G, row-major) is a normal number of words 2q and 2q + 1
  kTraining = 1,    // inputs of step `step`
  kEvaluation = 2,  // held-out inputs, step 0
  kHash = 3,        // hash router: words [0, n) are keys of features, [n, n + E) of experts
  kPartition = 4,   // shuffled blocks: the words of a Fisher-Yates shuffle
  kChanged = 5,     // inputs of expert_use
};

// One word of a stream.
std::uint32_t draw(std::uint64_t seed, Stream kind, std::uint32_t step, std::uint64_t word_idx);

// Uniform in [0, 1), exact in float.
constexpr float uniform_of(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1.0p-24F; }

// Where the words of an input lie.
struct InputLayout {
  std::int64_t n_features = 0;
  std::int64_t n_groups = 0;  // 0: features are independent
  std::int64_t group_size = 0;
  std::int64_t copy_begin = 0;   // [n]: does the feature copy its group? only with groups
  std::int64_t group_begin = 0;  // [n_groups]: is the group active? only with groups
  std::int64_t tie_begin = 0;    // one word, only with TieRule::kRandom
  std::int64_t stride = 0;
  float copy_share = 0;  // sqrt(group_correlation)
};
InputLayout input_layout(const Architecture& architecture);

// Input `sample_idx` of a stream into x [n]; returns the tie word (0 if there is none).
std::uint32_t draw_input(const InputLayout& layout, float density, std::uint64_t seed, Stream kind, std::uint32_t step,
                         std::uint64_t sample_idx, std::span<float> x);

// W, b and G before training.
Weights initial_weights(const Architecture& architecture, std::uint64_t seed);

// Hash router. Scores of experts for a set of active features: hash_mix(pattern ^ key of expert), pattern the XOR of
// the active features' keys; the k largest are active, ties go to the lower index.
struct HashKeys {
  std::vector<std::uint32_t> features;  // [n]
  std::vector<std::uint32_t> experts;   // [E]
};
HashKeys hash_keys(const Architecture& architecture, std::uint64_t seed);

// The upper 24 bits of MurmurHash3's finaliser: exact as a float, so that one rule of choice serves scores and hashes.
constexpr std::uint32_t hash_mix(std::uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85EBCA6B;
  h = (h ^ (h >> 13)) * 0xC2B2AE35;
  return (h ^ (h >> 16)) >> 8;
}

// With TieRule::kRandom the order of experts begins at expert tie_word * E / 2^32.
constexpr std::int64_t first_in_order(std::uint32_t tie_word, std::int64_t n_experts) {
  return static_cast<std::int64_t>((std::uint64_t{tie_word} * static_cast<std::uint64_t>(n_experts)) >> 32);
}

}  // namespace moescope::toy
