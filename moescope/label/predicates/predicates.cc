#include "moescope/label/predicates/predicates.h"

#include <algorithm>

#include "moescope/base/error.h"

namespace moescope::label {

namespace {
constexpr std::size_t kCommonShare = 32;  // a column that holds on more than 1/32 of the rows is kept as bits
}

PredicateTable::PredicateTable(std::size_t n_rows, std::vector<Predicate> predicates,
                               const std::vector<std::vector<std::uint32_t>>& columns)
    : n_rows_(n_rows),
      predicates_(std::move(predicates)),
      bits_(predicates_.size()),
      lists_(predicates_.size()),
      row_begin_(n_rows + 1, 0) {
  MOESCOPE_ASSERT(columns.size() == predicates_.size());
  for (std::size_t p = 0; p < columns.size(); ++p) {
    if (columns[p].size() * kCommonShare > n_rows) {
      bits_[p] = Bits(n_rows);
      for (std::uint32_t row : columns[p]) bits_[p].set(row);
      common_.push_back(static_cast<std::uint32_t>(p));
    } else {
      lists_[p] = columns[p];
      for (std::uint32_t row : columns[p]) ++row_begin_[row + 1];
    }
  }
  for (std::size_t row = 0; row < n_rows; ++row) row_begin_[row + 1] += row_begin_[row];
  row_items_.resize(row_begin_.back());
  std::vector<std::size_t> next(row_begin_.begin(), row_begin_.end() - 1);
  for (std::size_t p = 0; p < lists_.size(); ++p) {
    for (std::uint32_t row : lists_[p]) row_items_[next[row]++] = static_cast<std::uint32_t>(p);
  }
}

Bits PredicateTable::column(std::size_t p) const {
  if (is_common(p)) return bits_[p];
  Bits bits(n_rows_);
  for (std::uint32_t row : lists_[p]) bits.set(row);
  return bits;
}

bool PredicateTable::holds(std::size_t p, std::size_t row) const {
  if (is_common(p)) return bits_[p].test(row);
  return std::binary_search(lists_[p].begin(), lists_[p].end(), static_cast<std::uint32_t>(row));
}

}  // namespace moescope::label
