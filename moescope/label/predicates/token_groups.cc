#include "moescope/label/predicates/token_groups.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "moescope/base/random.h"

namespace moescope::label {

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

// A sparse matrix by rows: (column, value), columns rising.
using SparseRows = std::vector<std::vector<std::pair<std::size_t, double>>>;

constexpr std::size_t kPlaces = 4;  // of a neighbour: one or two before, one or two behind

// Positive pointwise mutual information of pieces (rows) and neighbours at their places (columns).
SparseRows neighbour_information(const std::vector<std::int32_t>& tokens, const std::vector<bool>& follows,
                                 const std::vector<bool>& counted, const std::vector<std::int32_t>& row_of,
                                 const std::vector<std::int32_t>& neighbour_of, std::size_t n_rows,
                                 std::size_t n_columns) {
  std::vector<std::unordered_map<std::size_t, double>> counts(n_rows);
  std::vector<double> column_sums(n_columns, 0.0), row_sums(n_rows, 0.0);
  double total = 0;
  const auto count = [&](std::int32_t piece, std::int32_t neighbour, std::size_t place) {
    const std::int32_t row = row_of[static_cast<std::size_t>(piece)];
    const std::int32_t column = neighbour_of[static_cast<std::size_t>(neighbour)];
    if (row < 0 || column < 0) return;
    const std::size_t at = static_cast<std::size_t>(column) * kPlaces + place;
    counts[static_cast<std::size_t>(row)][at] += 1;
    column_sums[at] += 1;
    row_sums[static_cast<std::size_t>(row)] += 1;
    total += 1;
  };
  for (std::size_t t = 1; t < tokens.size(); ++t) {
    if (!follows[t] || !counted[t] || !counted[t - 1]) continue;
    count(tokens[t], tokens[t - 1], 0);
    count(tokens[t - 1], tokens[t], 1);
    if (t < 2 || !follows[t - 1] || !counted[t - 2]) continue;
    count(tokens[t], tokens[t - 2], 2);
    count(tokens[t - 2], tokens[t], 3);
  }
  SparseRows rows(n_rows);
  for (std::size_t row = 0; row < n_rows; ++row) {
    for (const auto& [column, n] : counts[row]) {
      const double information = std::log(n * total / (row_sums[row] * column_sums[column]));
      // Rare pairs say little: damped.
      if (information > 0) rows[row].emplace_back(column, information * std::sqrt(n / (n + 5.0)));
    }
    std::sort(rows[row].begin(), rows[row].end());  // a fixed order of summation: the same groups everywhere
  }
  return rows;
}

Vectors times(const SparseRows& matrix, const Vectors& right) {
  Vectors product{matrix.size(), right.d, std::vector<double>(matrix.size() * right.d, 0.0)};
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    for (const auto& [column, value] : matrix[i]) {
      const double* from = right.row(column);
      double* to = product.row(i);
      for (std::size_t j = 0; j < right.d; ++j) to[j] += value * from[j];
    }
  }
  return product;
}

Vectors transposed_times(const SparseRows& matrix, std::size_t n_columns, const Vectors& right) {
  Vectors product{n_columns, right.d, std::vector<double>(n_columns * right.d, 0.0)};
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    for (const auto& [column, value] : matrix[i]) {
      const double* from = right.row(i);
      double* to = product.row(column);
      for (std::size_t j = 0; j < right.d; ++j) to[j] += value * from[j];
    }
  }
  return product;
}

// Columns orthonormal (modified Gram-Schmidt); columns without length become 0.
void orthonormalise(Vectors* vectors) {
  const std::size_t n = vectors->n, d = vectors->d;
  for (std::size_t j = 0; j < d; ++j) {
    const auto column_dot = [&](std::size_t a, std::size_t b) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += vectors->row(i)[a] * vectors->row(i)[b];
      return sum;
    };
    for (std::size_t k = 0; k < j; ++k) {
      const double overlap = column_dot(j, k);
      for (std::size_t i = 0; i < n; ++i) vectors->row(i)[j] -= overlap * vectors->row(i)[k];
    }
    const double length = std::sqrt(column_dot(j, j));
    for (std::size_t i = 0; i < n; ++i) vectors->row(i)[j] = length > 1e-9 ? vectors->row(i)[j] / length : 0.0;
  }
}

// Rows of M V, where V spans the leading right singular vectors: M's rows in that space, up to a rotation that changes
// no angle between them.
Vectors leading_directions(const SparseRows& matrix, std::size_t n_columns, const TokenGroupOptions& options) {
  const std::size_t d = static_cast<std::size_t>(options.n_dimensions);
  Vectors probe{n_columns, d, std::vector<double>(n_columns * d)};
  Random random(options.seed);
  for (double& value : probe.values) value = random.uniform() - 0.5;
  constexpr int kPowerIterations = 3;
  for (int i = 0; i < kPowerIterations; ++i) {
    Vectors left = times(matrix, probe);
    orthonormalise(&left);
    probe = transposed_times(matrix, n_columns, left);
    orthonormalise(&probe);
  }
  Vectors vectors = times(matrix, probe);
  for (std::size_t i = 0; i < vectors.n; ++i) normalise(vectors.row(i), d);
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
  const std::size_t n_columns = static_cast<std::size_t>(options.n_neighbours) * kPlaces;
  const Vectors vectors = leading_directions(
      neighbour_information(tokens, follows, counted, row_of, neighbour_of, ids.size(), n_columns), n_columns, options);
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

}  // namespace moescope::label
