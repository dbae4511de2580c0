#include "moescope/label/scoring/split.h"

#include <algorithm>
#include <map>
#include <set>

#include "moescope/base/random.h"

namespace moescope::label {

namespace {

struct Unit {
  std::int64_t key = 0;  // doc_idx, or number of the context
  std::vector<Context> contexts;
  std::int64_t n_tokens = 0;
  std::uint64_t order = 0;
  TracePart part = TracePart::kExplain;
};

std::vector<Unit> make_units(const TracedRun& run, bool by_document, std::uint64_t seed) {
  std::vector<Unit> units;
  std::map<std::int64_t, std::size_t> place;
  std::int64_t n_contexts = 0;
  for (const Context& context : contexts_of(run.tokens)) {
    const std::int64_t key = by_document ? context.doc_idx : n_contexts;
    ++n_contexts;
    const auto [found, added] = place.try_emplace(key, units.size());
    if (added) units.push_back({key, {}, 0, hash64(seed, static_cast<std::uint64_t>(key)), TracePart::kExplain});
    Unit& unit = units[found->second];
    unit.contexts.push_back(context);
    unit.n_tokens += static_cast<std::int64_t>(context.end - context.begin);
  }
  return units;
}

void deal(const TracedRun& run, const SplitOptions& options, std::vector<Unit>* units) {
  std::map<std::string, std::vector<Unit*>> by_domain;
  for (Unit& unit : *units) {
    by_domain[run.documents[static_cast<std::size_t>(unit.contexts[0].doc_idx)].domain].push_back(&unit);
  }
  std::array<double, 3> lacking = {0, 0, 0};
  for (auto& [domain, members] : by_domain) {
    std::sort(members.begin(), members.end(),
              [](const Unit* a, const Unit* b) { return std::pair(a->order, a->key) < std::pair(b->order, b->key); });
    for (Unit* unit : members) {
      const auto n = static_cast<double>(unit->n_tokens);
      for (std::size_t part = 0; part < 3; ++part) lacking[part] += options.shares[part] * n;
      const auto best = static_cast<std::size_t>(std::max_element(lacking.begin(), lacking.end()) - lacking.begin());
      unit->part = static_cast<TracePart>(best);
      lacking[best] -= n;
    }
  }
}

}  // namespace

TokenSplit split_tokens(const TracedRun& run, const SplitOptions& options) {
  const std::set<std::int32_t> documents(run.tokens.doc_idx.begin(), run.tokens.doc_idx.end());
  const bool by_document = static_cast<std::int64_t>(documents.size()) >= SplitOptions::kMinDocuments;
  std::vector<Unit> units = make_units(run, by_document, options.seed);
  deal(run, options, &units);
  TokenSplit split;
  split.unit = by_document ? "document" : "context";
  split.token_of_row.reserve(run.tokens.size());
  std::array<std::size_t*, 3> sizes = {&split.n_explain, &split.n_validation, &split.n_test};
  for (std::size_t part = 0; part < 3; ++part) {
    for (const Unit& unit : units) {
      if (static_cast<std::size_t>(unit.part) != part) continue;
      const auto unit_number = static_cast<std::uint32_t>(split.n_units[part]++);
      for (const Context& context : unit.contexts) {
        for (std::size_t t = context.begin; t < context.end; ++t) {
          split.token_of_row.push_back(static_cast<std::uint32_t>(t));
          if (static_cast<TracePart>(part) == TracePart::kTest) split.test_unit.push_back(unit_number);
          ++*sizes[part];
        }
      }
    }
  }
  return split;
}

}  // namespace moescope::label
