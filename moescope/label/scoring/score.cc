#include "moescope/label/scoring/score.h"

#include <algorithm>

namespace moescope::label {

TestScorer::TestScorer(const TokenSplit& split, const stats::Resamples& resamples, const Target& target)
    : split_(split),
      resamples_(resamples),
      positive_(split.n_rows()),
      judged_(split.n_rows()),
      positive_by_unit_(static_cast<std::size_t>(resamples.n_units()), 0.0) {
  const std::size_t begin = split.test_begin();
  for (std::size_t row = begin; row < split.n_rows(); ++row) judged_.set(row);
  for (std::uint32_t row : target.left_out) {
    if (row < begin) continue;
    judged_.clear(row);
    left_out_.push_back(row);
  }
  for (std::uint32_t row : target.positive) {
    if (row < begin) continue;
    positive_.set(row);
    positive_by_unit_[split.test_unit[row - begin]] += 1;
    ++n_positive_;
  }
  n_judged_ = static_cast<std::int64_t>(split.n_test - left_out_.size());
}

Score TestScorer::score(const Bits& predicted) const {
  stats::UnitCounts counts;
  counts.n_hits.resize(positive_by_unit_.size(), 0.0);
  counts.n_predicted.resize(positive_by_unit_.size(), 0.0);
  Bits rows = predicted;
  rows &= judged_;
  rows.for_each([&](std::size_t row) {
    const std::uint32_t unit = split_.test_unit[row - split_.test_begin()];
    counts.n_predicted[unit] += 1;
    if (positive_.test(row)) counts.n_hits[unit] += 1;
  });
  return finish(counts);
}

Score TestScorer::score_always() const { return score(Bits(split_.n_rows(), true)); }

Score TestScorer::finish(const stats::UnitCounts& counts) const {
  double hits = 0, predicted = 0;
  for (std::size_t u = 0; u < counts.n_hits.size(); ++u) {
    hits += counts.n_hits[u];
    predicted += counts.n_predicted[u];
  }
  Score score;
  score.n = n_judged_;
  score.n_positive = n_positive_;
  const auto positive = static_cast<double>(n_positive_);
  score.f1 = stats::f1_score(hits, predicted, positive);
  if (predicted > 0) score.precision = hits / predicted;
  if (positive > 0) score.recall = hits / positive;
  if (predicted > 0 && positive > 0) score.lift = hits / predicted / (positive / static_cast<double>(n_judged_));
  score.draws = stats::f1_draws(resamples_, counts, positive_by_unit_);
  if (score.f1) score.f1_interval = stats::interval_of_draws(resamples_, score.draws);
  return score;
}

std::optional<double> TestScorer::left_out_share(const Bits& predicted) const {
  if (left_out_.empty()) return std::nullopt;
  std::int64_t n = 0;
  for (std::uint32_t row : left_out_) n += predicted.test(row) ? 1 : 0;
  return static_cast<double>(n) / static_cast<double>(left_out_.size());
}

std::optional<ScoreDifference> difference(const stats::Resamples& resamples, const Score& rule, const Score& control) {
  if (!rule.f1 || !control.f1) return std::nullopt;
  ScoreDifference result;
  result.mean = *rule.f1 - *control.f1;
  std::vector<double> draws(rule.draws.size());
  for (std::size_t r = 0; r < draws.size(); ++r) draws[r] = rule.draws[r] - control.draws[r];
  result.interval = stats::interval_of_draws(resamples, std::move(draws));
  return result;
}

std::vector<std::int32_t> best_pieces(const std::vector<std::int32_t>& token_of_row, std::size_t n_pieces_known,
                                      const TokenSplit& split, const Target& target, std::size_t n_chosen) {
  std::vector<std::int64_t> n(n_pieces_known, 0), hits(n_pieces_known, 0);
  for (std::size_t row = 0; row < split.n_explain; ++row) ++n[static_cast<std::size_t>(token_of_row[row])];
  for (std::uint32_t row : target.left_out) {
    if (row < split.n_explain) --n[static_cast<std::size_t>(token_of_row[row])];
  }
  std::int64_t n_positive = 0;
  for (std::uint32_t row : target.positive) {
    if (row >= split.n_explain) break;
    ++hits[static_cast<std::size_t>(token_of_row[row])];
    ++n_positive;
  }
  std::vector<std::int32_t> chosen;
  std::int64_t all_hits = 0, all_n = 0;
  while (chosen.size() < n_chosen) {
    double best = -1;
    std::size_t best_piece = 0;
    for (std::size_t piece = 0; piece < n_pieces_known; ++piece) {
      if (hits[piece] == 0) continue;
      const double f1 =
          2.0 * static_cast<double>(all_hits + hits[piece]) / static_cast<double>(all_n + n[piece] + n_positive);
      if (f1 > best) {
        best = f1;
        best_piece = piece;
      }
    }
    if (best < 0) break;  // no piece is left that the expert takes
    chosen.push_back(static_cast<std::int32_t>(best_piece));
    all_hits += hits[best_piece];
    all_n += n[best_piece];
    hits[best_piece] = 0;
  }
  return chosen;
}

PieceCurve piece_curve(const std::vector<std::int32_t>& token_of_row, std::size_t n_pieces_known,
                       const TokenSplit& split, const Target& target, std::size_t n_max) {
  const std::vector<std::int32_t> pieces = best_pieces(token_of_row, n_pieces_known, split, target, n_max);
  const auto curve = [&](std::size_t begin, std::size_t end) {
    std::vector<std::int64_t> n(n_pieces_known, 0), hits(n_pieces_known, 0);
    for (std::size_t row = begin; row < end; ++row) ++n[static_cast<std::size_t>(token_of_row[row])];
    for (std::uint32_t row : target.left_out) {
      if (row >= begin && row < end) --n[static_cast<std::size_t>(token_of_row[row])];
    }
    double n_positive = 0;
    for (std::uint32_t row : target.positive) {
      if (row < begin || row >= end) continue;
      ++hits[static_cast<std::size_t>(token_of_row[row])];
      n_positive += 1;
    }
    std::vector<double> f1 = {0.0};
    double all_hits = 0, all_n = 0;
    for (std::int32_t piece : pieces) {
      all_hits += static_cast<double>(hits[static_cast<std::size_t>(piece)]);
      all_n += static_cast<double>(n[static_cast<std::size_t>(piece)]);
      f1.push_back(stats::f1_score(all_hits, all_n, n_positive).value_or(0));
    }
    f1.resize(n_max + 1, f1.back());
    return f1;
  };
  return {curve(0, split.n_explain), curve(split.n_explain, split.test_begin())};
}

Bits rows_of_pieces(const std::vector<std::int32_t>& token_of_row, const std::vector<std::int32_t>& pieces) {
  Bits rows(token_of_row.size());
  for (std::size_t row = 0; row < token_of_row.size(); ++row) {
    if (std::find(pieces.begin(), pieces.end(), token_of_row[row]) != pieces.end()) rows.set(row);
  }
  return rows;
}

}  // namespace moescope::label
