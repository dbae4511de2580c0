#include "moescope/label/predicates/bits.h"

#include "moescope/base/error.h"

#define HWY_WANT_AVX3_DL  // AVX-512 that counts bits
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "moescope/label/predicates/bits.cc"
#include <hwy/foreach_target.h>  // includes this file once a target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace moescope::label::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

std::int64_t count_both(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  const hn::ScalableTag<std::uint64_t> tag;
  const std::size_t n_lanes = hn::Lanes(tag);
  auto sum = hn::Zero(tag);
  std::size_t i = 0;
  for (; i + n_lanes <= n; i += n_lanes) {
    sum = hn::Add(sum, hn::PopulationCount(hn::And(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i))));
  }
  std::int64_t count = static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(tag, sum)));
  for (; i < n; ++i) count += std::popcount(a[i] & b[i]);
  return count;
}

}  // namespace
}  // namespace moescope::label::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope::label {

namespace {

using BitWords = std::span<const std::uint64_t>;

HWY_EXPORT(count_both);

std::int64_t count_pair(BitWords a, BitWords b) {
  return HWY_DYNAMIC_DISPATCH(count_both)(a.data(), b.data(), a.size());
}

}  // namespace

Bits::Bits(std::size_t n_bits, bool value) : n_bits_(n_bits), words_((n_bits + 63) / 64, 0) {
  if (value) flip();
}

std::int64_t Bits::count() const { return count_pair(words_, words_); }

Bits& Bits::operator&=(const Bits& other) {
  MOESCOPE_ASSERT(n_bits_ == other.n_bits_);
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  return *this;
}

Bits& Bits::operator|=(const Bits& other) {
  MOESCOPE_ASSERT(n_bits_ == other.n_bits_);
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  return *this;
}

Bits& Bits::subtract(const Bits& other) {
  MOESCOPE_ASSERT(n_bits_ == other.n_bits_);
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
  return *this;
}

Bits& Bits::flip() {
  for (std::uint64_t& word : words_) word = ~word;
  if (n_bits_ % 64 != 0) words_.back() &= (std::uint64_t{1} << (n_bits_ % 64)) - 1;
  return *this;
}

Bits Bits::prefix(std::size_t n_bits) const {
  MOESCOPE_ASSERT(n_bits <= n_bits_);
  Bits first;
  first.n_bits_ = n_bits;
  first.words_.assign(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>((n_bits + 63) / 64));
  if (n_bits % 64 != 0) first.words_.back() &= (std::uint64_t{1} << (n_bits % 64)) - 1;
  return first;
}

std::int64_t count_and(BitWords a, BitWords b) {
  MOESCOPE_ASSERT(a.size() == b.size());
  return count_pair(a, b);
}

}  // namespace moescope::label
#endif  // HWY_ONCE
