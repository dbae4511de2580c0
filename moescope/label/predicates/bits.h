// Rows of bits and counting them fast: the arithmetic under the rule search.
//
// A Bits has one bit an item, 64 to a word; bits behind size() are 0. Counting is compiled by Highway for
// several vector widths, of which the machine's best runs.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace moescope::label {

class Bits {
 public:
  Bits() = default;
  explicit Bits(std::size_t n_bits, bool value = false);

  std::size_t size() const { return n_bits_; }
  bool test(std::size_t i) const { return ((words_[i / 64] >> (i % 64)) & 1) != 0; }
  void set(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void clear(std::size_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

  std::span<const std::uint64_t> words() const { return words_; }
  std::int64_t count() const;

  // Both of one size.
  Bits& operator&=(const Bits& other);
  Bits& operator|=(const Bits& other);
  Bits& subtract(const Bits& other);  // and not
  Bits& flip();
  Bits prefix(std::size_t n_bits) const;  // the first n_bits; n_bits <= size()
  bool operator==(const Bits&) const = default;

  // Calls visit(i) for every set bit in rising order.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t word = words_[w]; word != 0; word &= word - 1) {
        visit(w * 64 + static_cast<std::size_t>(std::countr_zero(word)));
      }
    }
  }

 private:
  std::size_t n_bits_ = 0;
  std::vector<std::uint64_t> words_;
};

// Number of bits set in both; spans of one length.
std::int64_t count_and(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b);

}  // namespace moescope::label
