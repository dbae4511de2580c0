// How good a rule is on the test rows, beside what needs no understanding.
//
// Controls: the best disjunction of single pieces (as many as the rule has literals, at least kMinPieces, chosen
// greedily by F1 on the explain rows), the rule of another expert of the layer, and always saying yes. Intervals come
// from resampling the test units; differences are paired. A rule beats a control if the interval of the difference
// lies above 0. Left-out rows (target.h) count for nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moescope/label/predicates/bits.h"
#include "moescope/label/scoring/split.h"
#include "moescope/label/scoring/target.h"
#include "moescope/stats/bootstrap.h"

namespace moescope::label {

inline constexpr std::size_t kMinPieces = 3;

struct Score {
  std::optional<double> f1, precision, recall, lift;  // empty where 0 / 0
  std::optional<stats::Interval> f1_interval;
  std::int64_t n = 0;           // test rows judged
  std::int64_t n_positive = 0;  // of them positive
  std::vector<double> draws;    // F1 by resample, NaN where it does not exist
};

// A paired difference of F1s.
struct ScoreDifference {
  double mean = 0;  // on the test rows themselves
  std::optional<stats::Interval> interval;
  bool above_zero() const { return interval && interval->low > 0; }
};

// Scores predictions about one expert. Views split and resamples; thread-safe to read.
class TestScorer {
 public:
  TestScorer(const TokenSplit& split, const stats::Resamples& resamples, const Target& target);

  Score score(const Bits& predicted) const;  // bits over all rows
  Score score_always() const;
  std::int64_t n_positive() const { return n_positive_; }
  // Share of the left-out test rows where `predicted` holds; empty if there are none.
  std::optional<double> left_out_share(const Bits& predicted) const;

 private:
  Score finish(const stats::UnitCounts& counts) const;

  const TokenSplit& split_;
  const stats::Resamples& resamples_;
  Bits positive_, judged_;  // test rows
  std::vector<double> positive_by_unit_;
  std::vector<std::uint32_t> left_out_;  // test rows
  std::int64_t n_judged_ = 0, n_positive_ = 0;
};

// Empty if one of the two has no F1.
std::optional<ScoreDifference> difference(const stats::Resamples& resamples, const Score& rule, const Score& control);

// The control of single pieces: token ids, chosen one at a time so that F1 on the explain rows is largest.
// `token_of_row` gives a row's token id.
std::vector<std::int32_t> best_pieces(const std::vector<std::int32_t>& token_of_row, std::size_t n_pieces_known,
                                      const TokenSplit& split, const Target& target, std::size_t n_chosen);
// F1 of the control with 0, 1, ... n_max pieces on the explain and on the validation rows. [n_max + 1] each.
struct PieceCurve {
  std::vector<double> explain, validation;
};
PieceCurve piece_curve(const std::vector<std::int32_t>& token_of_row, std::size_t n_pieces_known,
                       const TokenSplit& split, const Target& target, std::size_t n_max);
Bits rows_of_pieces(const std::vector<std::int32_t>& token_of_row, const std::vector<std::int32_t>& pieces);

}  // namespace moescope::label
