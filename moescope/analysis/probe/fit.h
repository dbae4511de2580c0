// Fits all probes of one expert: every concept, every k, and the controls, from the expert's neurons for sampled
// tokens.
//
// Sets of probes ("variants"):
//   - main            train and test 75/25: documents apart by default; in the published protocol the expert's tokens,
//                     stratified
//   - select          60/20/20 by document, scored on the validation and the test part
//   - shuffled        main with the labels of the expert's sample permuted
//   - half_a, half_b  main on two disjoint halves of the documents
//   - shifted         main on the sample of another source
//   - matched         main on random subsets of a dense layer's neurons, one "expert" a subset
// Non-goals: aggregates over experts and layers (`moescope compare`).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "moescope/analysis/probe/samples.h"
#include "moescope/base/words.h"
#include "moescope/stats/sparse_probe.h"

namespace moescope::analysis::probe {

enum class Variant : std::uint8_t { kMain, kSelect, kShuffled, kHalfA, kHalfB, kShifted, kMatched };
const char* variant_word(Variant variant);

// How train and test parts are drawn.
enum class Protocol {
  kByDocument,  // in different documents
  kPublished,   // tokens of an expert, stratified
};
constexpr auto words_for(Protocol) {
  return std::to_array<Word<Protocol>>({{Protocol::kByDocument, "default"}, {Protocol::kPublished, "published"}});
}

struct MatchedOptions {
  std::int32_t width = 0;  // neurons of a subset; 0: no such control
  std::int64_t n_subsets = 0;
  double token_frac = 1;  // share of the tokens that a subset sees, at random
};

struct FitOptions {
  stats::SparseProbeOptions probe;
  Protocol protocol = Protocol::kByDocument;
  bool controls = true;
  MatchedOptions matched;
  double active_frac = 0.1;  // a neuron is active if |a| > this share of the token's largest |a| in the expert
  std::uint64_t seed = 1;
  int n_threads = 0;
};

// Views what it is given.
struct ExpertNeurons {
  std::int64_t layer = 0, expert = 0;
  bool is_dense = false;               // the one expert of its layer
  bool is_shared = false;              // behind the routed ones, every token reaches it
  std::int32_t width = 0;              // F
  std::span<const float> neurons;      // [M, F]
  std::span<const std::int32_t> rows;  // [M], of ProbeCorpus::sampled_row, each at most once
};

struct ProbeRecord {
  Variant variant = Variant::kMain;
  std::int32_t concept_idx = 0;
  std::int64_t layer = 0, expert = 0;
  bool is_dense = false, is_shared = false;
  std::int64_t n_positive = 0, n_negative = 0;
  stats::WidthResult result;
  bool has_validation = false;
};

// Views the corpus; immutable, one fit() at a time (it uses its threads inside).
class ExpertFitter {
 public:
  ExpertFitter(const ProbeCorpus& corpus, const FitOptions& options);

  // By variant, concept and k. Does not depend on the number of threads.
  std::vector<ProbeRecord> fit(const ExpertNeurons& expert) const;

  // Mean over the tokens of the number of active neurons; empty without tokens.
  std::optional<double> mean_active(const ExpertNeurons& expert) const;

 private:
  struct Item {
    std::int32_t row = 0;  // of ProbeCorpus::sampled_row
    std::uint8_t label = 0;
    stats::SamplePart part = stats::SamplePart::kTrain;
  };
  struct Job {
    Variant variant;
    std::int32_t concept_idx;
  };
  void add_samples(Variant variant, const std::vector<std::vector<SampleToken>>& samples, double train,
                   double validation, int half);
  std::vector<stats::ProbeItem> items_of(const ExpertNeurons& expert, const Job& job,
                                         const std::vector<std::int32_t>& local) const;
  std::vector<ProbeRecord> fit_job(const ExpertNeurons& expert, const Job& job,
                                   const std::vector<std::int32_t>& local) const;
  void fit_matched(const ExpertNeurons& layer, const std::vector<std::int32_t>& local,
                   std::vector<ProbeRecord>& records) const;
  std::vector<std::int32_t> local_rows(const ExpertNeurons& expert) const;

  const ProbeCorpus& corpus_;
  FitOptions options_;
  std::vector<Job> jobs_;
  std::vector<std::vector<Item>> items_[7];  // by variant, by concept
};

}  // namespace moescope::analysis::probe
