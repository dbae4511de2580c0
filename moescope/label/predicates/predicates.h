// Everything that a rule may say about a token, as yes-or-no columns over all traced tokens.
//
// Families: what the token is (piece, word, class, function word, beginning, ending, length, group of pieces used
// alike); the same of the two tokens and the two words before; where it stands (text_state.h); concepts of the concept
// library as far as the text read so far shows them; the domain; what happened before in the model's context (seen
// before, copying, position). Only the past within the context the model saw counts; a token's own text counts as read.
// Nothing here knows of layers or experts. Columns with too little support are left out and counted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "moescope/label/predicates/bits.h"

namespace moescope::label {

// How a predicate is said. `things`, if not empty, can stand alone ("numbers"); `property` follows a noun ("inside
// math"); `negation` is the property of the opposite ("outside math").
struct Predicate {
  std::string id;  // stable, as written in rules: "token.class:number", "before.piece:'_'"
  std::string things;
  std::string property;
  std::string negation;
  int noun_rank = 0;  // which literal of a conjunction becomes its noun: the highest; 0: never
};

// Columns of bits over rows, kept as bits where common and as lists of rows where rare. Immutable once built;
// thread-safe to read.
class PredicateTable {
 public:
  // `columns`[p]: rows where predicate p holds, rising. A column is common if it holds on more than 1/32 of the rows.
  PredicateTable(std::size_t n_rows, std::vector<Predicate> predicates,
                 const std::vector<std::vector<std::uint32_t>>& columns);

  std::size_t n_rows() const { return n_rows_; }
  std::size_t n_predicates() const { return predicates_.size(); }
  const Predicate& predicate(std::size_t p) const { return predicates_[p]; }

  bool is_common(std::size_t p) const { return bits_[p].size() != 0; }
  const Bits& common_bits(std::size_t p) const { return bits_[p]; }                    // of a common predicate
  const std::vector<std::uint32_t>& common() const { return common_; }                 // the common predicates
  std::span<const std::uint32_t> rare_rows(std::size_t p) const { return lists_[p]; }  // of a rare predicate
  std::span<const std::uint32_t> rare_of_row(std::size_t row) const {                  // rare predicates that hold
    return {row_items_.data() + row_begin_[row], row_items_.data() + row_begin_[row + 1]};
  }

  Bits column(std::size_t p) const;
  bool holds(std::size_t p, std::size_t row) const;

 private:
  std::size_t n_rows_;
  std::vector<Predicate> predicates_;
  std::vector<Bits> bits_;                         // empty for rare predicates
  std::vector<std::vector<std::uint32_t>> lists_;  // empty for common predicates
  std::vector<std::uint32_t> common_;
  std::vector<std::size_t> row_begin_;    // [n_rows + 1]
  std::vector<std::uint32_t> row_items_;  // rare predicates by row
};

}  // namespace moescope::label
