// The memory plan of a run: how many tokens a wave and a batch may have, so that everything that is resident together
// stays below the budget. Estimates are upper bounds of what the blocks of model/ allocate; bench/record_bench
// prints the measured peak beside the plan.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "moescope/engine/tap.h"
#include "moescope/model/config.h"

namespace moescope::engine {

struct PlanInput {
  model::ModelConfig config;
  std::uint64_t budget_bytes = 0;
  std::uint64_t resident_bytes = 0;  // of the process before the run: program, tokenizer, corpus
  std::uint64_t layer_bytes = 0;     // one layer's weights in the compute dtype
  std::uint64_t embedding_bytes = 0;
  std::int64_t element_bytes = 4;  // of the compute dtype
  std::int64_t context = 0;        // longest sequence
  std::int64_t n_tokens = 0;       // of the corpus
  TapMemory taps;
  bool taps_on_device = true;  // false: fixed_bytes of taps lie on the host, the plan is for a card
  bool losses = false;
  std::int64_t max_wave_tokens = 0;   // 0: chosen here
  std::int64_t max_batch_tokens = 0;  // 0: chosen here
};

struct MemoryPlan {
  std::int64_t wave_tokens = 0;
  std::int64_t batch_tokens = 0;      // rows that pass experts together
  std::int64_t attention_tokens = 0;  // rows that pass attention together
  std::int64_t logit_rows = 0;        // rows of logits at a time; 0 without losses
  bool keep_layers = false;           // all layers stay resident; else the current and the next one
  std::uint64_t resident_bytes = 0, weight_bytes = 0, wave_bytes = 0, batch_bytes = 0, tap_bytes = 0;
  std::uint64_t total_bytes() const { return resident_bytes + weight_bytes + wave_bytes + batch_bytes + tap_bytes; }
};

// Throws kInput saying what is needed at least if the budget does not hold one sequence.
MemoryPlan make_plan(const PlanInput& input);

}  // namespace moescope::engine
