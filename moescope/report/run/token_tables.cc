#include "moescope/report/run/token_tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace moescope::report {

namespace {

using Counts = std::vector<std::int64_t>;

// Sum over the routed experts of one layer, by token id. [V]
Counts layer_totals(const ReportedRun& data, int layer) {
  Counts totals(data.pieces.size(), 0);
  for (int expert = 0; expert < data.n_experts; ++expert) {
    for (const TokenTally& token : data.input_tokens[data.expert_idx(layer, expert)]) {
      totals[static_cast<std::size_t>(token.token_id)] += token.n;
    }
  }
  return totals;
}

double term(double observed, double expected) { return observed > 0 ? observed * std::log(observed / expected) : 0; }

// Signed G2 of the 2 x 2 table (this token or another; this expert or the rest of the layer).
double over_representation(double n_here, double n_layer, double expert_total, double layer_total) {
  const double expected = n_layer * expert_total / layer_total;
  const double rest_here = expert_total - n_here, rest_expected = expert_total - expected;
  const double others = n_layer - n_here, others_expected = n_layer - expected;
  const double rest_others = layer_total - expert_total - others;
  const double rest_others_expected = layer_total - expert_total - others_expected;
  const double g2 = 2 * (term(n_here, expected) + term(rest_here, rest_expected) + term(others, others_expected) +
                         term(rest_others, rest_others_expected));
  return n_here >= expected ? g2 : -g2;
}

std::int64_t total(const std::vector<TokenTally>& list) {
  return std::accumulate(list.begin(), list.end(), std::int64_t{0},
                         [](std::int64_t sum, const TokenTally& token) { return sum + token.n; });
}

std::vector<ListedToken> list_for_expert(const std::vector<TokenTally>& list, const Counts& totals,
                                         std::int64_t layer_total, std::size_t n) {
  std::vector<std::size_t> by_weight(list.size());
  std::iota(by_weight.begin(), by_weight.end(), std::size_t{0});
  const auto expert_total = static_cast<double>(total(list));
  std::vector<double> weight;
  weight.reserve(list.size());
  for (const TokenTally& token : list) {
    weight.push_back(over_representation(static_cast<double>(token.n),
                                         static_cast<double>(totals[static_cast<std::size_t>(token.token_id)]),
                                         expert_total, static_cast<double>(layer_total)));
  }
  const std::size_t n_weighted = std::min(n, list.size());
  std::partial_sort(
      by_weight.begin(), by_weight.begin() + static_cast<std::ptrdiff_t>(n_weighted), by_weight.end(),
      [&](std::size_t a, std::size_t b) { return weight[a] != weight[b] ? weight[a] > weight[b] : a < b; });
  std::vector<std::size_t> chosen(by_weight.begin(), by_weight.begin() + static_cast<std::ptrdiff_t>(n_weighted));
  for (std::size_t i = 0; i < n_weighted; ++i) chosen.push_back(i);  // `list` is sorted by count
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  std::vector<ListedToken> out;
  out.reserve(chosen.size());
  for (const std::size_t i : chosen) {
    out.push_back({list[i].token_id, list[i].n, totals[static_cast<std::size_t>(list[i].token_id)]});
  }
  return out;
}

void keep_most_frequent(std::vector<TokenTally>& list, std::int64_t n) {
  std::stable_sort(list.begin(), list.end(), [](const TokenTally& a, const TokenTally& b) { return a.n > b.n; });
  list.resize(std::min(list.size(), static_cast<std::size_t>(n)));
  list.shrink_to_fit();
}

}  // namespace

std::vector<std::vector<ListedToken>> listed_tokens(const ReportedRun& data, std::int64_t n) {
  std::vector<std::vector<ListedToken>> out(data.input_tokens.size());
  if (data.input_tokens.empty()) return out;
  for (int layer = 0; layer < data.n_layers; ++layer) {
    const Counts totals = layer_totals(data, layer);
    const std::int64_t layer_total = std::accumulate(totals.begin(), totals.end(), std::int64_t{0});
    for (int expert = 0; expert < data.n_columns(); ++expert) {
      const std::size_t idx = data.expert_idx(layer, expert);
      out[idx] = list_for_expert(data.input_tokens[idx], totals, layer_total, static_cast<std::size_t>(n));
    }
  }
  return out;
}

std::vector<IndexedToken> indexed_tokens(const ReportedRun& data, std::int64_t n, std::int64_t n_top) {
  if (data.input_tokens.empty()) return {};
  Counts occurrences(data.pieces.size(), 0);
  for (int layer = 0; layer < data.n_layers; ++layer) {
    const Counts totals = layer_totals(data, layer);
    for (std::size_t id = 0; id < totals.size(); ++id) {
      // Rounded up: with experts left out of the table a token that occurred must not count as absent.
      const std::int64_t seen = (totals[id] + data.n_experts_per_token - 1) / data.n_experts_per_token;
      occurrences[id] = std::max(occurrences[id], seen);
    }
  }
  std::vector<std::int32_t> ids;
  for (std::size_t id = 0; id < occurrences.size(); ++id) {
    if (occurrences[id] > 0) ids.push_back(static_cast<std::int32_t>(id));
  }
  std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
    return occurrences[static_cast<std::size_t>(a)] > occurrences[static_cast<std::size_t>(b)];
  });
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(n)));
  std::vector<std::int64_t> slot(data.pieces.size(), -1);
  std::vector<IndexedToken> out;
  for (const std::int32_t id : ids) {
    slot[static_cast<std::size_t>(id)] = static_cast<std::int64_t>(out.size());
    out.push_back({id, occurrences[static_cast<std::size_t>(id)],
                   std::vector<std::vector<TokenTally>>(static_cast<std::size_t>(data.n_layers))});
  }
  for (int layer = 0; layer < data.n_layers; ++layer) {  // of routed experts: a shared one takes every token
    for (int expert = 0; expert < data.n_experts; ++expert) {
      for (const TokenTally& token : data.input_tokens[data.expert_idx(layer, expert)]) {
        const std::int64_t at = slot[static_cast<std::size_t>(token.token_id)];
        if (at < 0) continue;
        out[static_cast<std::size_t>(at)].layers[static_cast<std::size_t>(layer)].push_back({expert, token.n});
      }
    }
    for (IndexedToken& token : out) keep_most_frequent(token.layers[static_cast<std::size_t>(layer)], n_top);
  }
  return out;
}

std::vector<std::optional<double>> input_entropy_bits(const ReportedRun& data) {
  std::vector<std::optional<double>> out(data.n_all_experts());
  for (std::size_t idx = 0; idx < data.input_tokens.size(); ++idx) {
    const auto sum = static_cast<double>(total(data.input_tokens[idx]));
    if (sum == 0) continue;
    double bits = 0;
    for (const TokenTally& token : data.input_tokens[idx]) {
      const double share = static_cast<double>(token.n) / sum;
      bits -= share * std::log2(share);
    }
    out[idx] = bits;
  }
  return out;
}

}  // namespace moescope::report
