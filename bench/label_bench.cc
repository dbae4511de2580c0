// How long the rule search takes: made-up experts over a table of the size that a traced corpus gives.
//
//   label_bench [n_experts] [n_rows] [n_predicates] [n_threads]     (default 40 300000 5000 0)
// First checks the counting that the search stands on against plain columns of bits, then times the search, and prints
// one JSON object: processor seconds by expert (median and spread; of its thread, so that a busy machine does not
// count), the sum for 1,000 experts, and the ratio to a scan of all columns as bits for the same covers in the same
// run.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "moescope/base/parallel.h"
#include "moescope/base/random.h"
#include "moescope/label/rules/search.h"

namespace {

using moescope::Random;
using namespace moescope::label;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Column p holds on a share of rows that falls like 1 / (p + 4): some 60 predicates hold on a row, as on real text.
std::vector<std::vector<std::uint32_t>> make_columns(std::size_t n_rows, std::size_t n_predicates) {
  std::vector<std::vector<std::uint32_t>> columns(n_predicates);
  for (std::size_t p = 0; p < n_predicates; ++p) {
    Random random(p + 1);
    const double rate = std::min(0.6, 8.0 / static_cast<double>(p + 12) + 0.0004);
    const double log_rest = std::log1p(-rate);
    for (double row = 0;; row += 1) {
      row += std::floor(std::log1p(-random.uniform()) / log_rest);
      if (row >= static_cast<double>(n_rows)) break;
      columns[p].push_back(static_cast<std::uint32_t>(row));
    }
  }
  return columns;
}

Target make_target(const PredicateTable& table, std::uint64_t seed) {
  Random random(seed);
  Rule rule;
  for (int t = 0; t < 3; ++t) {
    const auto p = static_cast<std::uint32_t>(20 + random.below(table.n_predicates() - 20));
    rule.terms.push_back({{p, false}, {static_cast<std::uint32_t>(random.below(40)), random.below(2) == 0}});
  }
  const Bits rows = evaluate(rule, table);
  Target target;
  for (std::uint32_t row = 0; row < table.n_rows(); ++row) {
    const double chance = rows.test(row) ? 0.8 : 0.005;
    if (random.uniform() < chance) {
      target.positive.push_back(row);
    } else if (random.below(10) == 0) {
      target.left_out.push_back(row);
    }
  }
  return target;
}

// Counts of a cover with every predicate: sparse as in the search, and by all columns as bits.
std::vector<std::int64_t> sparse_counts(const PredicateTable& table, const Bits& cover) {
  std::vector<std::int64_t> counts(table.n_predicates(), 0);
  cover.for_each([&](std::size_t row) {
    for (std::uint32_t p : table.rare_of_row(row)) ++counts[p];
  });
  for (std::uint32_t p : table.common()) counts[p] = count_and(cover.words(), table.common_bits(p).words());
  return counts;
}

std::vector<std::int64_t> dense_counts(const std::vector<Bits>& columns, const Bits& cover) {
  std::vector<std::int64_t> counts(columns.size());
  for (std::size_t p = 0; p < columns.size(); ++p) counts[p] = count_and(cover.words(), columns[p].words());
  return counts;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int i, std::size_t otherwise) {
    return argc > i ? static_cast<std::size_t>(std::strtoull(argv[i], nullptr, 10)) : otherwise;
  };
  const std::size_t n_experts = argument(1, 40), n_rows = argument(2, 300000), n_predicates = argument(3, 5000);
  const int n_threads = static_cast<int>(argument(4, 0));
  std::vector<Predicate> names(n_predicates);
  const PredicateTable table(n_rows, names, make_columns(n_rows, n_predicates));
  std::vector<Bits> columns;
  for (std::size_t p = 0; p < n_predicates; ++p) columns.push_back(table.column(p));

  // Covers of the sizes that the search meets: a term of one or two literals.
  std::vector<double> ratios;
  for (std::uint32_t i = 0; i < 15; ++i) {
    const Bits cover = evaluate(Term{{i * 7, false}, {i * 13 + 1, i % 2 == 0}}, table);
    const double start = thread_seconds();
    const std::vector<std::int64_t> sparse = sparse_counts(table, cover);
    const double middle = thread_seconds();
    const std::vector<std::int64_t> dense = dense_counts(columns, cover);
    const double sparse_s = middle - start, dense_s = thread_seconds() - middle;
    if (sparse != dense) {
      std::fprintf(stderr, "counts differ\n");
      return 1;
    }
    ratios.push_back(dense_s / sparse_s);
  }

  const RuleSearch search(table, n_rows / 2, n_rows / 5, {});
  std::vector<Target> targets;
  for (std::size_t e = 0; e < n_experts; ++e) targets.push_back(make_target(table, 1000 + e));
  std::vector<double> seconds(n_experts);
  std::vector<std::size_t> n_literals(n_experts, 0);
  const auto start = std::chrono::steady_clock::now();
  moescope::parallel_for(n_experts, n_threads, [&](std::size_t e) {
    const double begin = thread_seconds();
    const std::optional<Rule> rule = search.find(targets[e]);
    n_literals[e] = rule ? rule->n_literals() : 0;
    seconds[e] = thread_seconds() - begin;
  });
  const double all_s = seconds_since(start);
  const std::size_t n_found =
      n_experts - static_cast<std::size_t>(std::count(n_literals.begin(), n_literals.end(), 0u));
  std::printf(
      "{\"n_experts\": %zu, \"n_rows\": %zu, \"n_predicates\": %zu, \"n_common\": %zu, \"threads\": %d, \"found\": "
      "%zu, "
      "\"seconds\": %.2f, \"s_per_expert_median\": %.4f, \"s_per_expert_min\": %.4f, \"s_per_expert_max\": %.4f, "
      "\"cpu_s_per_1000_experts\": %.1f, \"dense_over_sparse_median\": %.2f}\n",
      n_experts, n_rows, n_predicates, table.common().size(), n_threads > 0 ? n_threads : moescope::hardware_threads(),
      n_found, all_s, median(seconds), *std::min_element(seconds.begin(), seconds.end()),
      *std::max_element(seconds.begin(), seconds.end()), 1000 * median(seconds), median(ratios));
  return n_found > 0 ? 0 : 1;
}
