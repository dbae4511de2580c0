#include "moescope/label/predicates/bits.h"

#include <gtest/gtest.h>

#include <set>

#include "moescope/base/random.h"
#include "moescope/label/predicates/predicates.h"
#include "tests/base/vector_targets.h"

namespace moescope::label {
namespace {

void expect_counts_like_a_loop() {
  Random random(1);
  for (std::size_t n : {0u, 1u, 63u, 64u, 65u, 511u, 512u, 513u, 5000u}) {
    Bits a(n), b(n);
    std::set<std::size_t> in_a, in_b;
    for (std::size_t i = 0; i < n; ++i) {
      if (random.below(3) == 0) {
        a.set(i);
        in_a.insert(i);
      }
      if (random.below(2) == 0) {
        b.set(i);
        in_b.insert(i);
      }
    }
    std::int64_t both = 0;
    for (std::size_t i : in_a) both += in_b.contains(i) ? 1 : 0;
    EXPECT_EQ(a.count(), static_cast<std::int64_t>(in_a.size()));
    EXPECT_EQ(count_and(a.words(), b.words()), both);
    std::set<std::size_t> visited;
    a.for_each([&](std::size_t i) { visited.insert(i); });
    EXPECT_EQ(visited, in_a);
    Bits flipped = a;
    flipped.flip();
    EXPECT_EQ(flipped.count(), static_cast<std::int64_t>(n - in_a.size()));
    Bits united = a;
    united |= b;
    EXPECT_EQ(united.count(), a.count() + b.count() - both);
    Bits rest = a;
    rest.subtract(b);
    EXPECT_EQ(rest.count(), a.count() - both);
  }
}

TEST(Bits, CountLikeALoopAtEverySize) { for_each_vector_target(expect_counts_like_a_loop); }

TEST(PredicateTable, KeepsEveryColumnWhetherRareOrCommon) {
  Random random(2);
  const std::size_t n_rows = 700;
  std::vector<std::vector<std::uint32_t>> columns;
  std::vector<Predicate> predicates;
  for (std::size_t p = 0; p < 40; ++p) {
    std::vector<std::uint32_t>& column = columns.emplace_back();
    const std::uint64_t one_in = p < 20 ? 3 : 90;
    for (std::uint32_t row = 0; row < n_rows; ++row) {
      if (random.below(one_in) == 0) column.push_back(row);
    }
    predicates.push_back({"p" + std::to_string(p), "", "", "", 0});
  }
  const PredicateTable table(n_rows, predicates, columns);
  EXPECT_GT(table.common().size(), 0u);
  EXPECT_LT(table.common().size(), 40u);
  for (std::size_t p = 0; p < 40; ++p) {
    const Bits column = table.column(p);
    std::vector<std::uint32_t> rows;
    column.for_each([&](std::size_t row) { rows.push_back(static_cast<std::uint32_t>(row)); });
    EXPECT_EQ(rows, columns[p]);
    for (std::size_t row = 0; row < n_rows; ++row) EXPECT_EQ(table.holds(p, row), column.test(row));
  }
  for (std::size_t row = 0; row < n_rows; ++row) {
    for (std::uint32_t p : table.rare_of_row(row)) EXPECT_TRUE(table.column(p).test(row));
  }
}

}  // namespace
}  // namespace moescope::label
