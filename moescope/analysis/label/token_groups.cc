#include "moescope/analysis/label/token_groups.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "moescope/base/random.h"

namespace moescope::analysis {

namespace {

// One row a piece, unit length, row-major.
struct Vectors {
  std::size_t n = 0, d = 0;
  std::vector<double> values;
  double* row(std::size_t i) { return values.data() + i * d; }
  const double* row(std::size_t i) const { return values.data() + i * d; }
};

double dot(const double* a, const double* b, std::size_t d) {
  double sum = 0;
  for (std::size_t i = 0; i < d; ++i) sum += a[i] * b[i];
  return sum;
}

void normalise(double* row, std::size_t d) {
  const double length = std::sqrt(dot(row, row, d));
  if (length > 0) {
    for (std::size_t i = 0; i < d; ++i) row[i] /= length;
  }
}

std::vector<std::int32_t> most_frequent(const std::vector<std::int64_t>& counts, std::int64_t min_count) {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] >= min_count) ids.push_back(static_cast<std::int32_t>(i));
  }
  std::stable_sort(ids.begin(), ids.end(), [&](std::int32_t a, std::int32_t b) {
    return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
  });
  return ids;
}

// Random signs of a neighbour on one side: its column of the projection.
double sign_of(std::uint64_t seed, std::size_t neighbour, std::size_t side, std::size_t dimension) {
  return (hash64(seed, neighbour * 2 + side, dimension) & 1) != 0 ? 1.0 : -1.0;
}

Vectors project_neighbours(const std::vector<std::int32_t>& tokens, const std::vector<bool>& follows,
                           const std::vector<bool>& counted, const std::vector<std::int32_t>& row_of,
                           const std::vector<std::int32_t>& neighbour_of, std::size_t n_rows,
                           const TokenGroupOptions& options) {
  const std::size_t n_neighbours = static_cast<std::size_t>(options.n_neighbours);
  std::vector<std::unordered_map<std::size_t, double>> counts(n_rows);  // column: neighbour * 2 + side
  std::vector<double> column_sums(n_neighbours * 2, 0.0), row_sums(n_rows, 0.0);
  double total = 0;
  const auto count = [&](std::int32_t piece, std::int32_t neighbour, std::size_t side) {
    const std::int32_t row = row_of[static_cast<std::size_t>(piece)];
    const std::int32_t column = neighbour_of[static_cast<std::size_t>(neighbour)];
    if (row < 0 || column < 0) return;
    const std::size_t at = static_cast<std::size_t>(column) * 2 + side;
    counts[static_cast<std::size_t>(row)][at] += 1;
    column_sums[at] += 1;
    row_sums[static_cast<std::size_t>(row)] += 1;
    total += 1;
  };
  for (std::size_t t = 1; t < tokens.size(); ++t) {
    if (!follows[t] || !counted[t] || !counted[t - 1]) continue;
    count(tokens[t], tokens[t - 1], 0);
    count(tokens[t - 1], tokens[t], 1);
  }
  const std::size_t d = static_cast<std::size_t>(options.n_dimensions);
  std::vector<double> signs(n_neighbours * 2 * d);
  for (std::size_t c = 0; c < n_neighbours * 2; ++c) {
    for (std::size_t i = 0; i < d; ++i) signs[c * d + i] = sign_of(options.seed, c / 2, c % 2, i);
  }
  Vectors vectors{n_rows, d, std::vector<double>(n_rows * d, 0.0)};
  for (std::size_t row = 0; row < n_rows; ++row) {
    std::vector<std::pair<std::size_t, double>> cells(counts[row].begin(), counts[row].end());
    std::sort(cells.begin(), cells.end());  // a fixed order of summation: the same groups everywhere
    for (const auto& [column, n] : cells) {
      const double information = std::log(n * total / (row_sums[row] * column_sums[column]));
      if (information <= 0) continue;
      const double weight = information * std::sqrt(n / (n + 5.0));  // rare pairs say little
      for (std::size_t i = 0; i < d; ++i) vectors.row(row)[i] += weight * signs[column * d + i];
    }
    normalise(vectors.row(row), d);
  }
  return vectors;
}

std::vector<std::int32_t> spherical_k_means(const Vectors& vectors, std::size_t k, int n_iterations,
                                            std::uint64_t seed) {
  const std::size_t d = vectors.d;
  Vectors centres{k, d, std::vector<double>(k * d, 0.0)};
  Random random(seed);
  // Starts spread out: each next centre is the row least like the ones so far, among a random handful (k-means++'s
  // aim without its passes).
  std::vector<double> closest(vectors.n, -1.0);
  std::size_t start = random.below(vectors.n);
  for (std::size_t c = 0; c < k; ++c) {
    std::copy_n(vectors.row(start), d, centres.row(c));
    for (std::size_t i = 0; i < vectors.n; ++i) {
      closest[i] = std::max(closest[i], dot(vectors.row(i), centres.row(c), d));
    }
    start = random.below(vectors.n);
    for (int tries = 0; tries < 8; ++tries) {
      const std::size_t other = random.below(vectors.n);
      if (closest[other] < closest[start]) start = other;
    }
  }
  std::vector<std::int32_t> cluster(vectors.n, 0);
  for (int iteration = 0; iteration < n_iterations; ++iteration) {
    bool changed = false;
    for (std::size_t i = 0; i < vectors.n; ++i) {
      std::size_t best = 0;
      double best_value = -2;
      for (std::size_t c = 0; c < k; ++c) {
        const double value = dot(vectors.row(i), centres.row(c), d);
        if (value > best_value) {
          best_value = value;
          best = c;
        }
      }
      changed = changed || cluster[i] != static_cast<std::int32_t>(best);
      cluster[i] = static_cast<std::int32_t>(best);
    }
    if (!changed && iteration > 0) break;
    std::fill(centres.values.begin(), centres.values.end(), 0.0);
    std::vector<std::int64_t> sizes(k, 0);
    for (std::size_t i = 0; i < vectors.n; ++i) {
      const auto c = static_cast<std::size_t>(cluster[i]);
      ++sizes[c];
      for (std::size_t j = 0; j < d; ++j) centres.row(c)[j] += vectors.row(i)[j];
    }
    for (std::size_t c = 0; c < k; ++c) {
      if (sizes[c] == 0) std::copy_n(vectors.row(random.below(vectors.n)), d, centres.row(c));
      normalise(centres.row(c), d);
    }
  }
  return cluster;
}

}  // namespace

TokenGroups group_tokens(const std::vector<std::int32_t>& tokens, const std::vector<bool>& follows,
                         const std::vector<bool>& counted, std::size_t n_pieces, const TokenGroupOptions& options) {
  std::vector<std::int64_t> counts(n_pieces, 0);
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    if (counted[t]) ++counts[static_cast<std::size_t>(tokens[t])];
  }
  const std::vector<std::int32_t> ids = most_frequent(counts, options.min_count);
  std::vector<std::int32_t> row_of(n_pieces, -1), neighbour_of(n_pieces, -1);
  for (std::size_t row = 0; row < ids.size(); ++row) {
    row_of[static_cast<std::size_t>(ids[row])] = static_cast<std::int32_t>(row);
    if (row < static_cast<std::size_t>(options.n_neighbours)) {
      neighbour_of[static_cast<std::size_t>(ids[row])] = static_cast<std::int32_t>(row);
    }
  }
  TokenGroups groups;
  const Vectors vectors = project_neighbours(tokens, follows, counted, row_of, neighbour_of, ids.size(), options);
  for (int k : options.n_groups) {
    std::vector<std::int32_t>& level = groups.of_piece.emplace_back(n_pieces, -1);
    // Fewer than three pieces a group would only repeat single pieces.
    if (ids.size() < static_cast<std::size_t>(k) * 3) continue;
    const std::vector<std::int32_t> cluster =
        spherical_k_means(vectors, static_cast<std::size_t>(k), options.n_iterations,
                          hash64(options.seed, static_cast<std::uint64_t>(k)));
    const auto offset = static_cast<std::int32_t>(groups.members.size());
    groups.members.resize(groups.members.size() + static_cast<std::size_t>(k));
    for (std::size_t row = 0; row < ids.size(); ++row) {
      const std::int32_t group = offset + cluster[row];
      level[static_cast<std::size_t>(ids[row])] = group;
      groups.members[static_cast<std::size_t>(group)].push_back(ids[row]);
    }
  }
  return groups;
}

}  // namespace moescope::analysis
