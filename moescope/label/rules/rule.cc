#include "moescope/label/rules/rule.h"

namespace moescope::label {

Bits evaluate(const Term& term, const PredicateTable& table) {
  Bits rows(table.n_rows(), true);
  for (const Literal& literal : term) {
    const Bits column = table.column(literal.predicate);
    if (literal.negated) {
      rows.subtract(column);
    } else {
      rows &= column;
    }
  }
  return rows;
}

Bits evaluate(const Rule& rule, const PredicateTable& table) {
  Bits rows(table.n_rows());
  for (const Term& term : rule.terms) rows |= evaluate(term, table);
  return rows;
}

std::string rule_text(const Rule& rule, const PredicateTable& table) {
  std::string text;
  for (const Term& term : rule.terms) {
    if (!text.empty()) text += " or ";
    text += "(";
    for (std::size_t i = 0; i < term.size(); ++i) {
      if (i > 0) text += " and ";
      if (term[i].negated) text += "not ";
      text += table.predicate(term[i].predicate).id;
    }
    text += ")";
  }
  return text;
}

}  // namespace moescope::label
