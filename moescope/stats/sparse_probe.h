// k-sparse probing of one set of neurons for one concept: rank neurons on the train part, fit logistic regressions on
// the best 1, 2, 4, ... of them, score on parts that played no role ("The Expert Strikes Back", arXiv 2604.02178,
// section 4; Gurnee et al. 2023).
//
// Ranking: |mean(x | y = 1) - mean(x | y = 0)| over the train part, ties to the lower neuron.
// Non-goals: drawing samples and parts (analysis/probe does), other rankings.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "moescope/stats/logistic.h"

namespace moescope::stats {

enum class SamplePart : std::uint8_t { kTrain = 0, kValidation = 1, kTest = 2 };

// One token of a probe's sample.
struct ProbeItem {
  std::int32_t row = 0;    // of the neurons
  std::uint8_t label = 0;  // 0 or 1
  SamplePart part = SamplePart::kTrain;
};

enum class ProbeStatus {
  kOk,
  kTooFew,        // fewer positives or negatives than asked for, over all parts
  kOneClass,      // the train part, or a part that is scored, lacks positives or negatives
  kNotFinite,     // a NaN or an infinity among the sample's neurons
  kNotConverged,  // scores are of the best fit found
  kTooNarrow,     // fewer neurons than k
};
const char* status_word(ProbeStatus status);  // "ok", "too_few", "one_class", "not_finite", ...

struct BinaryScores {
  double f1 = 0, precision = 0, recall = 0;  // 0 where nothing was predicted, as scikit-learn counts
};
// Throws nothing; n_positive > 0.
BinaryScores binary_scores(std::int64_t n_hits, std::int64_t n_predicted, std::int64_t n_positive);

struct WidthResult {
  std::int32_t k = 0;
  ProbeStatus status = ProbeStatus::kOk;
  BinaryScores test, validation;  // meaningless unless status is kOk or kNotConverged; validation only if asked for
  std::int32_t n_steps = 0;
};

struct ProbeResult {
  std::int64_t n_positive = 0, n_negative = 0;  // over all parts
  std::vector<WidthResult> widths;              // one for each k asked for, in that order
  std::vector<std::int32_t> ranked;             // neurons by falling difference, as many as the largest k that fits
  std::vector<LogisticFit> fits;                // by k, if SparseProbeOptions::keep_fits; empty where there is none
};

struct SparseProbeOptions {
  std::vector<std::int32_t> widths = {1, 2, 4, 8, 16, 32, 64};  // rising
  std::int64_t min_per_class = 50;
  bool score_validation = false;
  bool keep_fits = false;
  LogisticOptions logistic;
};

// neurons: [n, width] f32, row by row. Items' rows lie in [0, n). Safe to call from many threads.
ProbeResult fit_sparse_probe(std::span<const float> neurons, std::int32_t width, std::span<const ProbeItem> items,
                             const SparseProbeOptions& options);

}  // namespace moescope::stats
