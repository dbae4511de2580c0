// A rule as an English sentence whose words of strength are those that the test numbers carry.
//
// "Mostly closing brackets inside math, or numbers after '_' (about half of such tokens); promotes '$'".
// The first word says how much of the expert's strong routing the rule covers (recall on test rows), the words in
// brackets how many of the tokens that the rule names the expert really takes (precision). A word is used only from
// its threshold on:
//   recall    >= 0.9 "Nearly always", 0.6 "Mostly", 0.4 "About half of the time", 0.2 "Often", 0.1 "Sometimes",
//             below "Now and then"
//   precision >= 0.9 "nearly all", 0.6 "most", 0.4 "about half", 0.2 "some", below "few" (of such tokens)
#pragma once

#include <string>

#include "moescope/label/predicates/predicates.h"
#include "moescope/label/rules/rule.h"

namespace moescope::label {

const char* recall_word(double recall);
const char* precision_word(double precision);

// "numbers after '_' inside math".
std::string say_term(const Term& term, const PredicateTable& table);
// All terms, joined by "or".
std::string say_rule(const Rule& rule, const PredicateTable& table);

std::string sentence(const std::string& rule_said, double precision, double recall, const std::string& promotes);

// At most this many characters (not bytes), cut at a word with "…".
inline constexpr std::size_t kShortLabelLength = 60;
std::string shortened(const std::string& text, std::size_t n_characters);

}  // namespace moescope::label
