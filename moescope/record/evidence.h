// Evidence windows: for every expert the strongest windows, and a sample over the deciles of strength.
//
// For a token routed to an expert with applied weight w and output o: score = w * ||o||_2. A window's strength is the
// largest score in it. Kept are the n strongest windows, and a uniform sample of all windows in which the expert fired:
// those with the smallest hash64(seed, window, expert), so that the sample does not depend on the order of work. Equal
// strengths go to the lower window number. For the strongest tokens of every window that is kept so far, the expert's
// output is kept as well, from which promoted tokens are computed at the end (lens.h).
//
// Source: "The Expert Strikes Back" (arXiv 2604.02178), section 5; stratified sample as in delphi (arXiv 2410.13928).
#pragma once

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "moescope/record/expert_batch.h"
#include "moescope/text/windows.h"

namespace moescope::record {

inline constexpr std::size_t kStrongestTokens = 5;  // of a window, whose outputs are kept
inline constexpr std::int64_t kDeciles = 10;

struct EvidenceOptions {
  std::int64_t n_strongest = 40;   // windows an expert
  std::int64_t n_reservoir = 100;  // sampled windows an expert, from which the deciles are drawn
  std::int64_t n_per_decile = 4;   // of them kept at the end
  std::int64_t window = 32;        // tokens
  std::uint64_t seed = 0;
};

enum class EvidenceKind : std::int32_t { kStrongest = 0, kSample = 1 };

// One window of one expert as it is kept. Plain data, saved and loaded as bytes.
struct Candidate {
  std::int64_t window_idx = 0;
  std::int64_t first_token = 0;  // into TokenCorpus::token_ids
  std::uint64_t priority = 0;    // of the sample, smaller is kept
  float strength = 0;
  std::int32_t doc_idx = 0, position = 0, n_tokens = 0;
  std::int32_t slot = 0;                                   // where its scores and outputs lie
  std::array<std::int32_t, kStrongestTokens> strongest{};  // tokens of the window by falling score, -1: fewer
};

// A window chosen for the run directory.
struct KeptWindow {
  std::int64_t layer_idx = 0, expert_idx = 0;
  EvidenceKind kind = EvidenceKind::kStrongest;
  std::int32_t decile = -1;
  const Candidate* candidate = nullptr;
  std::span<const float> scores;  // [window], 0: not routed here
  at::Tensor outputs;             // [kStrongestTokens, D], a view; rows of absent tokens are undefined
};

// Owns all windows. Not thread-safe. Memory is set aside for all candidates at once.
class EvidenceCollector {
 public:
  EvidenceCollector(const RecordShape& shape, const EvidenceOptions& options, at::ScalarType dtype);
  // What it sets aside.
  static std::uint64_t bytes(const RecordShape& shape, const EvidenceOptions& options, at::ScalarType dtype);

  void on_expert(const ExpertBatch& expert);
  // Takes over what the saved state of another part of the same corpus, with windows of its own, holds: the result is
  // that of one collector over both, whatever the order. The state is read as it lies in its mapped file, so that
  // merging needs the memory of one collector. Throws kInput if it does not fit.
  void merge(const io::SafetensorsFile& state);
  void add_state(StateArrays& arrays) const;
  void load_state(const io::SafetensorsFile& state);

  std::int64_t n_windows_fired(std::int64_t layer, std::int64_t expert) const {
    return n_fired_[shape_.idx(layer, expert)];
  }
  // By layer, expert, kind, falling strength.
  std::vector<KeptWindow> kept() const;

 private:
  // The candidates of one kind, as a heap an expert with the one to give up first at its front.
  struct Store {
    EvidenceKind kind = EvidenceKind::kStrongest;
    std::int64_t capacity = 0;          // windows an expert
    std::vector<std::int32_t> size;     // [L * E]
    std::vector<Candidate> candidates;  // [L * E, capacity]
    std::vector<float> scores;          // [L * E, capacity, S]
    at::Tensor outputs;                 // [L * E, capacity, 5, D]
  };
  // A store as plain bytes, in memory or in a mapped file (where nothing is aligned).
  struct StoreBytes {
    std::span<const std::byte> size, candidates, scores, outputs;
  };
  struct Pick {  // an output row to copy once an expert's windows are decided
    std::byte* to;
    std::int64_t row;
  };

  Store make_store(EvidenceKind kind, std::int64_t capacity, at::ScalarType dtype) const;
  static StoreBytes bytes_of(const Store& store);
  // Those of a saved state. Throws kInput if they are not as long as this collector's, or broken.
  StoreBytes read_bytes(const io::SafetensorsFile& state, const Store& store) const;
  void merge(Store& store, const StoreBytes& other);
  // The place for a candidate, with a slot for its scores and outputs, behind the heap; null if it is not kept.
  Candidate* make_room(Store& store, std::size_t expert, const Candidate& candidate);
  void settle(Store& store, std::size_t expert);  // takes it into the heap
  void offer(Store& store, std::size_t expert, const ExpertBatch& batch, const Candidate& candidate, std::size_t begin,
             std::size_t end);
  void fill(Store& store, std::size_t expert, const ExpertBatch& batch, Candidate& candidate, std::size_t begin,
            std::size_t end);
  void copy_outputs(const at::Tensor& outputs);
  KeptWindow keep(const Store& store, std::size_t expert, const Candidate& candidate, std::int32_t decile) const;
  void keep_strongest(std::size_t expert, std::vector<KeptWindow>& kept) const;
  void keep_sample(std::size_t expert, std::vector<KeptWindow>& kept) const;

  RecordShape shape_;
  EvidenceOptions options_;
  std::vector<std::int64_t> n_fired_;  // [L * E]
  Store strongest_, sample_;
  std::vector<Pick> picks_;
};

}  // namespace moescope::record
