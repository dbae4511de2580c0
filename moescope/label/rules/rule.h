// Executable rules: a disjunction of terms, each a conjunction of literals over predicates.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moescope/label/predicates/bits.h"
#include "moescope/label/predicates/predicates.h"

namespace moescope::label {

struct Literal {
  std::uint32_t predicate = 0;
  bool negated = false;
  bool operator==(const Literal&) const = default;
};

using Term = std::vector<Literal>;  // holds where all literals hold; never empty

struct Rule {
  std::vector<Term> terms;  // holds where any term holds; without terms nowhere

  std::size_t n_literals() const {
    std::size_t n = 0;
    for (const Term& term : terms) n += term.size();
    return n;
  }
  bool operator==(const Rule&) const = default;
};

// Rows where the term or rule holds, over all rows of the table.
Bits evaluate(const Term& term, const PredicateTable& table);
Bits evaluate(const Rule& rule, const PredicateTable& table);

// "(class:number and not before.piece:'_') or (...)".
std::string rule_text(const Rule& rule, const PredicateTable& table);

}  // namespace moescope::label
