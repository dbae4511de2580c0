#include "moescope/label/predicates/bits.h"

#include "moescope/base/error.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define MOESCOPE_X86_POPCOUNT
#endif

namespace moescope::label {

namespace {

using Words = std::span<const std::uint64_t>;

std::int64_t count_plain(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < n; ++i) count += std::popcount(a[i] & b[i]);
  return count;
}

#ifdef MOESCOPE_X86_POPCOUNT
__attribute__((target("popcnt"))) std::int64_t count_scalar(const std::uint64_t* a, const std::uint64_t* b,
                                                            std::size_t n) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < n; ++i) count += static_cast<std::int64_t>(_mm_popcnt_u64(a[i] & b[i]));
  return count;
}

__attribute__((target("avx512f,avx512vpopcntdq,popcnt"))) std::int64_t count_vector(const std::uint64_t* a,
                                                                                    const std::uint64_t* b,
                                                                                    std::size_t n) {
  __m512i sum = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m512i both = _mm512_and_si512(_mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
    sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(both));
  }
  alignas(64) std::int64_t lanes[8];
  _mm512_store_si512(lanes, sum);
  std::int64_t count = 0;
  for (std::int64_t lane : lanes) count += lane;
  for (; i < n; ++i) count += static_cast<std::int64_t>(_mm_popcnt_u64(a[i] & b[i]));
  return count;
}
#endif

using CountFunction = std::int64_t (*)(const std::uint64_t*, const std::uint64_t*, std::size_t);

CountFunction best_count() {
#ifdef MOESCOPE_X86_POPCOUNT
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vpopcntdq")) return count_vector;
  if (__builtin_cpu_supports("popcnt")) return count_scalar;
#endif
  return count_plain;
}

std::int64_t count_pair(const std::uint64_t* a, const std::uint64_t* b, std::size_t n) {
  static const CountFunction count = best_count();
  return count(a, b, n);
}

}  // namespace

Bits::Bits(std::size_t n_bits, bool value) : n_bits_(n_bits), words_((n_bits + 63) / 64, 0) {
  if (value) flip();
}

std::int64_t Bits::count() const { return count_pair(words_.data(), words_.data(), words_.size()); }

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

std::int64_t count_and(Words a, Words b) {
  MOESCOPE_ASSERT(a.size() == b.size());
  return count_pair(a.data(), b.data(), a.size());
}

}  // namespace moescope::label
