// Drives a model's blocks over a corpus in waves, layer by layer, and calls the taps.
//
// Goals: one pass serves all taps; only the current and the next layer need be resident; memory stays within a plan
// made beforehand; what taps see does not depend on waves, batches or threads beyond floating-point rounding.
// Non-goals: keeping results (taps do), saving state between waves (the caller does, at wave_end), training.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "moescope/base/progress.h"
#include "moescope/engine/plan.h"
#include "moescope/engine/tap.h"
#include "moescope/model/weights.h"
#include "moescope/text/windows.h"

namespace moescope::engine {

struct EngineOptions {
  at::Device device = at::Device(at::kCPU);
  at::ScalarType dtype = at::kFloat;        // kFloat or kBFloat16
  std::uint64_t memory_bytes = 0;           // budget for all that is resident; 0: half of what is free
  std::int64_t max_wave_tokens = 0;         // 0: from the budget
  std::int64_t max_batch_tokens = 0;        // 0: from the budget
  std::optional<SequenceRange> range = {};  // what to run of the corpus: a shard; without: all of it
};

struct RunResult {
  std::int64_t n_tokens = 0;  // that this call ran
  std::int64_t n_waves = 0;
  double seconds = 0;
};

// Views checkpoint, corpus and taps; they must outlive it. Not thread-safe.
class Engine {
 public:
  // Makes the plan. Throws kInput if the range is not one of the corpus, a token id lies beyond the model's vocabulary,
  // a sequence is longer than its context, a tap asks for a layer that does not exist, or the budget is too small.
  Engine(const model::Checkpoint& checkpoint, const text::TokenCorpus& corpus, const EngineOptions& options,
         const std::vector<Tap*>& taps);

  const MemoryPlan& plan() const { return plan_; }
  std::uint64_t budget_bytes() const { return budget_bytes_; }

  struct Hooks {
    // Called when a wave is done, with the sequence that comes next: the place to save.
    std::function<void(std::int64_t next_sequence)> wave_end = [](std::int64_t) {};
    // Called between two batches; may throw to abandon the wave.
    std::function<void()> between_batches = [] {};
  };
  // Runs the sequences from first_sequence, in the range or at its end, to the range's end. Throws what hooks throw,
  // and kInput at the end if a tap never got what it asked for.
  RunResult run(std::int64_t first_sequence, const Hooks& hooks, const Console& console = {});

 private:
  const model::Checkpoint& checkpoint_;
  const text::TokenCorpus& corpus_;
  EngineOptions options_;
  std::vector<Tap*> taps_;
  SequenceRange range_;
  std::uint64_t budget_bytes_ = 0;
  MemoryPlan plan_;
};

}  // namespace moescope::engine
