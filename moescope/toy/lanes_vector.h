// Vectors of the kernels: MOESCOPE_LANES_WIDTH instances side by side. Everything is elementwise, so no lane ever sees
// another. GCC's vector extension, no instructions of one machine. Included by lanes_kernels_*.cc only, each with its
// own width.
//
// Comparisons stand only in front of '?', where they become masks; as values GCC 12 would compute them lane by lane.
#pragma once

#include <cstdint>

#include "moescope/toy/philox.h"

// Passing such vectors depends on the machine; nothing here is passed, for everything is inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

#ifndef MOESCOPE_LANES_WIDTH
#define MOESCOPE_LANES_WIDTH 4
#endif
#define MOESCOPE_LANES_INLINE [[gnu::always_inline]] static inline

namespace moescope::toy {
namespace {

constexpr std::int64_t kWidth = MOESCOPE_LANES_WIDTH;
using Floats = float __attribute__((vector_size(kWidth * sizeof(float))));
using Words = std::uint32_t __attribute__((vector_size(kWidth * sizeof(std::uint32_t))));
using Ints = std::int32_t __attribute__((vector_size(kWidth * sizeof(std::int32_t))));

MOESCOPE_LANES_INLINE Floats all_lanes(float value) { return Floats{} + value; }
MOESCOPE_LANES_INLINE Ints as_ints(const Words& words) { return __builtin_convertvector(words, Ints); }

// Upper and lower halves of products of 64 bits.
MOESCOPE_LANES_INLINE void wide_product(const Words& x, std::uint32_t multiplier, Words& high, Words& low) {
  using Wide = std::uint64_t __attribute__((vector_size(sizeof(Words))));
  Wide even, odd;
  __builtin_memcpy(&even, &x, sizeof(Words));
  odd = (even >> 32) * std::uint64_t{multiplier};
  even = (even & 0xFFFFFFFFULL) * std::uint64_t{multiplier};
  even = (even >> 32) | (odd & 0xFFFFFFFF00000000ULL);
  __builtin_memcpy(&high, &even, sizeof(Words));
  low = x * multiplier;
}

// philox() of one counter under many keys: `key` [2], `words` [4].
MOESCOPE_LANES_INLINE void philox_lanes(const PhiloxCounter& counter, const Words* key, Words* words) {
  Words key0 = key[0], key1 = key[1];
  Words c0 = Words{} + counter.word[0], c1 = Words{} + counter.word[1];
  Words c2 = Words{} + counter.word[2], c3 = Words{} + counter.word[3];
  for (int round = 0; round < kPhiloxRounds; ++round) {
    Words high0, low0, high1, low1;
    wide_product(c0, kPhiloxMultiplier0, high0, low0);
    wide_product(c2, kPhiloxMultiplier1, high1, low1);
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 += kPhiloxWeyl0;
    key1 += kPhiloxWeyl1;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// uniform_of() of words.
MOESCOPE_LANES_INLINE Floats uniform_lanes(const Words& words) {
  return __builtin_convertvector(as_ints(words >> 8), Floats) * 0x1.0p-24F;
}

// e^x for x <= 0, relative error below 2e-7; 0 below -87; NaN stays NaN. Cody and Waite's reduction, Taylor's series.
MOESCOPE_LANES_INLINE Floats exp_lanes(const Floats& x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const Floats low = all_lanes(-87.0F);
  const Floats clamped = x < low ? low : x;
  const Floats shifted = clamped * kLog2E + kRound;
  const Floats whole = shifted - kRound;
  const Floats r = (clamped - whole * kLn2High) - whole * kLn2Low;
  Floats sum = all_lanes(1.0F / 5040.0F);
  sum = sum * r + 1.0F / 720.0F;
  sum = sum * r + 1.0F / 120.0F;
  sum = sum * r + 1.0F / 24.0F;
  sum = sum * r + 1.0F / 6.0F;
  sum = sum * r + 0.5F;
  sum = sum * r + 1.0F;
  sum = sum * r + 1.0F;
  Ints exponent;
  __builtin_memcpy(&exponent, &shifted, sizeof(exponent));
  exponent = (exponent << 23) + (127 << 23);  // the whole number stands in the lowest bits of `shifted`
  Floats power;
  __builtin_memcpy(&power, &exponent, sizeof(power));
  return x < low ? Floats{} : sum * power;
}

MOESCOPE_LANES_INLINE Floats sqrt_lanes(const Floats& x) {
  Floats root;
  for (std::int64_t l = 0; l < kWidth; ++l) root[l] = __builtin_sqrtf(x[l]);
  return root;
}

}  // namespace
}  // namespace moescope::toy
