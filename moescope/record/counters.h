// Sums by expert and layer: how many tokens, from which domains, chosen with whom, with what weight, and how the
// expert's neurons and outputs look. What the router decided is about routed experts alone. Integers and float64, so
// that waves and batches only change float rounding, and sums of parts of a corpus add up to those of the whole:
// integers exactly, and reals, all of whose terms are >= 0, within a relative n 2^-53 of the exact sum of n terms in
// whatever order.
//
// Source: OLMoE (arXiv 2409.02060), section 5: specialization by domain and vocabulary. docs/run-directory.md says what
// the tables made of them hold.
#pragma once

#include <cstdint>
#include <vector>

#include "moescope/model/moe.h"
#include "moescope/record/expert_batch.h"

namespace moescope::record {

// Owns its arrays; index of an expert is RecordShape::idx. Not thread-safe.
class ExpertCounters {
 public:
  // domain_of_document: index of each document's domain in [0, n_domains).
  ExpertCounters(const RecordShape& shape, std::vector<std::int32_t> domain_of_document, std::int64_t n_domains);

  void on_expert(const ExpertBatch& expert);
  // Adds what another part of the same corpus gave: counts exactly, sums rounded once.
  void merge(const ExpertCounters& other);
  void add_state(StateArrays& arrays) const;
  void load_state(const io::SafetensorsFile& state);
  std::uint64_t bytes() const;

  std::int64_t n_domains() const { return n_domains_; }
  std::vector<std::int64_t> n_tokens;                   // [L * E]
  std::vector<double> sum_weight, sum_norm, sum_score;  // [L * E]
  std::vector<std::int64_t> n_active, n_active_01;      // [L * E], neurons over all tokens, see row_kernels.h
  std::vector<std::int64_t> n_by_domain;                // [L * E * n_domains]

 private:
  RecordShape shape_;
  std::vector<std::int32_t> domain_of_document_;
  std::int64_t n_domains_;
};

// What the router decided, by layer.
class RouterStatistics {
 public:
  explicit RouterStatistics(const RecordShape& shape);

  void on_routing(std::int64_t layer_idx, const model::Routing& routing);
  void merge(const RouterStatistics& other);
  void add_state(StateArrays& arrays) const;
  void load_state(const io::SafetensorsFile& state);
  std::uint64_t bytes() const { return coactivation.size() * sizeof(std::int64_t); }

  std::vector<std::int64_t> n_tokens;      // [L]
  std::vector<double> sum_entropy_bits;    // [L], of the router's probabilities over all experts
  std::vector<double> sum_margin;          // [L], first minus second probability (the first itself with one expert)
  std::vector<std::int64_t> coactivation;  // [L, E, E] of routed experts, symmetric, the diagonal is n_tokens

 private:
  RecordShape shape_;
};

// Mean loss of next-token prediction.
struct LossSum {
  std::int64_t n = 0;
  double sum_nats = 0;
  void add(const engine::Batch& batch, const at::Tensor& losses);
  void merge(const LossSum& other);
};

}  // namespace moescope::record
