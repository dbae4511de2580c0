// Groups of pieces that are used alike, found from the text alone: pieces whose neighbours are the same kinds of
// pieces ("he she they", "is was has"). They let a rule name a kind of word that no list foresaw.
//
// Method: positive pointwise mutual information of a piece with its neighbours at distance 1 and 2 on both sides among
// the most frequent pieces; its rows in the space of the
// leading right singular vectors (Halko, Martinsson, Tropp 2011, seeded), normalised;
// spherical k-means at several k (Lloyd; empty clusters are re-seeded). Only explain tokens are counted, and nothing of
// the model is used.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moescope::label {

struct TokenGroupOptions {
  std::vector<int> n_groups = {12, 30, 80, 200, 500};
  std::int64_t min_count = 10;  // rarer pieces join no group
  int n_neighbours = 600;       // most frequent pieces that serve as neighbours, on each side
  int n_dimensions = 64;
  int n_iterations = 15;
  std::uint64_t seed = 1;
};

// Numbered through all levels: group g of level i has the number offset of level i + g.
struct TokenGroups {
  std::vector<std::vector<std::int32_t>> of_piece;  // [levels][V], -1: none
  std::vector<std::vector<std::int32_t>> members;   // by group number: piece ids, most frequent first
};

// `tokens`: token ids; `follows`[i]: token i has its predecessor in the same context at i - 1; `counted`[i]: use it.
TokenGroups group_tokens(const std::vector<std::int32_t>& tokens, const std::vector<bool>& follows,
                         const std::vector<bool>& counted, std::size_t n_pieces, const TokenGroupOptions& options);

}  // namespace moescope::label
