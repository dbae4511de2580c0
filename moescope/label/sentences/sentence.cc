#include "moescope/label/sentences/sentence.h"

#include <algorithm>
#include <vector>

#include "moescope/label/predicates/characters.h"

namespace moescope::label {

namespace {

struct ShareWord {
  double from;
  const char* word;
};

constexpr ShareWord kRecallWords[] = {{0.9, "Nearly always"}, {0.6, "Mostly"},    {0.4, "About half of the time"},
                                      {0.2, "Often"},         {0.1, "Sometimes"}, {0.0, "Now and then"}};
constexpr ShareWord kPrecisionWords[] = {
    {0.9, "nearly all"}, {0.6, "most"}, {0.4, "about half"}, {0.2, "some"}, {0.0, "few"}};

template <std::size_t n>
const char* word_for(const ShareWord (&words)[n], double value) {
  for (const ShareWord& word : words) {
    if (value >= word.from) return word.word;
  }
  return words[n - 1].word;
}

}  // namespace

const char* recall_word(double recall) { return word_for(kRecallWords, recall); }
const char* precision_word(double precision) { return word_for(kPrecisionWords, precision); }

std::string say_term(const Term& term, const PredicateTable& table) {
  // The noun is the literal that says most about what the token is; an opposite cannot be a noun.
  const Literal* noun = nullptr;
  for (const Literal& literal : term) {
    if (literal.negated) continue;
    const int rank = table.predicate(literal.predicate).noun_rank;
    if (rank > 0 && (noun == nullptr || rank > table.predicate(noun->predicate).noun_rank)) noun = &literal;
  }
  std::string said = noun == nullptr ? "tokens" : table.predicate(noun->predicate).things;
  // What the token is comes before where it stands, what holds before what does not.
  std::vector<const Literal*> rest;
  for (const Literal& literal : term) {
    if (&literal != noun) rest.push_back(&literal);
  }
  std::stable_sort(rest.begin(), rest.end(), [&](const Literal* a, const Literal* b) {
    const auto key = [&](const Literal* l) {
      const Predicate& predicate = table.predicate(l->predicate);
      const bool of_token = predicate.noun_rank > 0;
      return std::pair(l->negated ? 1 : 0, of_token ? 0 : 1);
    };
    return key(a) < key(b);
  });
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const Predicate& predicate = table.predicate(rest[i]->predicate);
    if (i > 0) said += i + 1 == rest.size() ? " and" : ",";
    said += " " + (rest[i]->negated ? predicate.negation : predicate.property);
  }
  return said;
}

std::string say_rule(const Rule& rule, const PredicateTable& table) {
  std::string said;
  for (std::size_t i = 0; i < rule.terms.size(); ++i) {
    if (i > 0) said += i + 1 == rule.terms.size() ? "; or " : "; ";
    said += say_term(rule.terms[i], table);
  }
  return said;
}

std::string sentence(const std::string& rule_said, double precision, double recall, const std::string& promotes) {
  std::string text =
      std::string(recall_word(recall)) + " " + rule_said + " (" + precision_word(precision) + " of such tokens)";
  if (!promotes.empty()) text += "; " + promotes;
  return text;
}

std::string shortened(const std::string& text, std::size_t n_characters) {
  std::size_t n = 0, last_space = 0, at = 0;
  while (at < text.size()) {
    if (n + 1 == n_characters && at + static_cast<std::size_t>(code_point_at(text, at).n_bytes) < text.size()) break;
    if (text[at] == ' ') last_space = at;
    at += static_cast<std::size_t>(code_point_at(text, at).n_bytes);
    ++n;
  }
  if (at >= text.size()) return text;
  if (text[at] == ' ') last_space = at;
  std::string cut = text.substr(0, last_space > 0 ? last_space : at);
  while (!cut.empty() && (cut.back() == ',' || cut.back() == ';' || cut.back() == ' ')) cut.pop_back();
  return cut + "…";
}

}  // namespace moescope::label
