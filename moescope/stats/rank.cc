#include "moescope/stats/rank.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moescope/base/error.h"

namespace moescope::stats {

namespace {

std::vector<double> average_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
  }
  return ranks;
}

}  // namespace

std::optional<double> rank_correlation(std::span<const double> x, std::span<const double> y) {
  constexpr std::size_t kMinPairs = 3;
  MOESCOPE_ASSERT(x.size() == y.size());
  if (x.size() < kMinPairs) return std::nullopt;
  const std::vector<double> a = average_ranks(x), b = average_ranks(y);
  const double mean = (static_cast<double>(x.size()) - 1) / 2;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean) * (b[i] - mean);
    aa += (a[i] - mean) * (a[i] - mean);
    bb += (b[i] - mean) * (b[i] - mean);
  }
  if (aa <= 0 || bb <= 0) return std::nullopt;
  return ab / std::sqrt(aa * bb);
}

std::optional<double> expected_max(const std::vector<std::vector<double>>& groups) {
  struct Item {
    double value;
    std::size_t group;
  };
  std::vector<Item> items;
  std::vector<std::size_t> used;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const double value : groups[g]) items.push_back({value, g});
    if (!groups[g].empty()) used.push_back(g);
  }
  if (items.empty()) return std::nullopt;
  std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.value < b.value; });
  // P(max <= v) is the product over groups of the share of values <= v.
  std::vector<double> n_below(groups.size(), 0.0);
  double expectation = 0, before = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    n_below[items[i].group] += 1;
    double probability = 1;
    for (const std::size_t g : used) probability *= n_below[g] / static_cast<double>(groups[g].size());
    expectation += items[i].value * (probability - before);
    before = probability;
  }
  return expectation;
}

}  // namespace moescope::stats
