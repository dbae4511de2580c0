// Vectors of the kernels: an instance a lane. Everything is elementwise, so no lane ever sees another. Included by
// lanes_kernel.h once a target of Highway, so the guard is a toggle.
#if defined(MOESCOPE_TOY_LANES_VECTOR_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOESCOPE_TOY_LANES_VECTOR_H_
#undef MOESCOPE_TOY_LANES_VECTOR_H_
#else
#define MOESCOPE_TOY_LANES_VECTOR_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "moescope/toy/philox.h"

HWY_BEFORE_NAMESPACE();
namespace moescope::toy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using WordTag = hn::RebindToUnsigned<FloatTag>;
using IntTag = hn::RebindToSigned<FloatTag>;
using Floats = hn::Vec<FloatTag>;
using Words = hn::Vec<WordTag>;
constexpr std::int64_t kWidth = hn::MaxLanes(FloatTag());
static_assert(sizeof(Floats) == kWidth * sizeof(float), "arrays of vectors are arrays of numbers");

HWY_INLINE Floats all_lanes(float value) { return hn::Set(FloatTag(), value); }
HWY_INLINE Floats zero() { return hn::Zero(FloatTag()); }
HWY_INLINE Words all_lanes(std::uint32_t value) { return hn::Set(WordTag(), value); }
HWY_INLINE Words no_words() { return hn::Zero(WordTag()); }

template <typename Mask>
HWY_INLINE Floats pick(const Mask mask, Floats yes, Floats no) {
  return hn::IfThenElse(mask, yes, no);
}

// Of words below 2^31.
HWY_INLINE Floats to_floats(Words words) { return hn::ConvertTo(FloatTag(), hn::BitCast(IntTag(), words)); }

// Upper and lower halves of products of 64 bits.
HWY_INLINE void wide_product(Words x, std::uint32_t multiplier, Words& high, Words& low) {
  low = x * all_lanes(multiplier);
#if HWY_TARGET == HWY_SCALAR
  high = all_lanes(static_cast<std::uint32_t>((std::uint64_t{hn::GetLane(x)} * multiplier) >> 32));
#else
  const hn::Repartition<std::uint64_t, WordTag> wide;
  const Words factor = all_lanes(multiplier);
  const auto even = hn::MulEven(x, factor);
  const auto odd = hn::MulEven(hn::BitCast(WordTag(), hn::ShiftRight<32>(hn::BitCast(wide, x))), factor);
  high = hn::OddEven(hn::BitCast(WordTag(), odd), hn::BitCast(WordTag(), hn::ShiftRight<32>(even)));
#endif
}

// philox() of one counter under many keys: `key` [2], `words` [4].
HWY_INLINE void philox_lanes(const PhiloxCounter& counter, const Words* key, Words* words) {
  Words key0 = key[0], key1 = key[1];
  Words c0 = all_lanes(counter.word[0]), c1 = all_lanes(counter.word[1]);
  Words c2 = all_lanes(counter.word[2]), c3 = all_lanes(counter.word[3]);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    Words high0, low0, high1, low1;
    wide_product(c0, kPhiloxMultiplier0, high0, low0);
    wide_product(c2, kPhiloxMultiplier1, high1, low1);
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 = key0 + all_lanes(kPhiloxWeyl0);
    key1 = key1 + all_lanes(kPhiloxWeyl1);
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

// uniform_of() of words.
HWY_INLINE Floats uniform_lanes(Words words) { return to_floats(hn::ShiftRight<8>(words)) * all_lanes(0x1.0p-24F); }

// e^x for x <= 0, relative error below 2e-7; 0 below -87; NaN stays NaN. Cody and Waite's reduction, Taylor's series.
HWY_INLINE Floats exp_lanes(Floats x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const Floats low = all_lanes(-87.0F);
  const Floats clamped = pick(x < low, low, x);
  const Floats shifted = clamped * all_lanes(kLog2E) + all_lanes(kRound);
  const Floats whole = shifted - all_lanes(kRound);
  const Floats r = (clamped - whole * all_lanes(kLn2High)) - whole * all_lanes(kLn2Low);
  Floats sum = all_lanes(1.0F / 5040.0F);
  for (const float factor : {1.0F / 720.0F, 1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F, 0.5F, 1.0F, 1.0F}) {
    sum = sum * r + all_lanes(factor);
  }
  // The whole number stands in the lowest bits of `shifted`.
  const Words exponent = hn::ShiftLeft<23>(hn::BitCast(WordTag(), shifted)) + all_lanes(std::uint32_t{127} << 23);
  return pick(x < low, zero(), sum * hn::BitCast(FloatTag(), exponent));
}

}  // namespace
}  // namespace moescope::toy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // MOESCOPE_TOY_LANES_VECTOR_H_
