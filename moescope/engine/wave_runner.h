// One wave's way through a model, in stages that can be run apart: embed, layers [begin, end), losses. A run may start
// at any layer from a residual that was kept there, and gives what the whole run gives, to the bit.
//
// Goals: only the current and the next layer need be resident; attention and logits take as many rows at a time as the
// plan allows. Non-goals: choosing waves, progress, saving (engine.h).
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "moescope/engine/batch.h"
#include "moescope/engine/layer_source.h"
#include "moescope/engine/plan.h"
#include "moescope/engine/tap_set.h"
#include "moescope/model/blocks.h"
#include "moescope/model/weights.h"

namespace moescope::engine {

// Layers [begin, end), and the one that will be asked for behind them, read while the last of these computes.
struct LayerRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::optional<std::int64_t> next = std::nullopt;
};

struct WaveContext {
  at::Device device = at::Device(at::kCPU);
  at::ScalarType dtype = at::kFloat;
  std::int64_t context = 0;  // longest sequence
};

// Views the checkpoint, the plan and the taps. Not thread-safe. To be used in inference mode.
class WaveRunner {
 public:
  WaveRunner(const model::Checkpoint& checkpoint, const WaveContext& context, const MemoryPlan& plan, TapSet& taps);

  // Called when a batch has passed a layer, or the losses.
  using Step = std::function<void(const Batch& batch)>;

  // The residual that enters layer 0 [N of the wave, D], rows as Batch::first_row says.
  at::Tensor embed(const std::vector<Batch>& batches) const;
  // residual: entering layer range.begin; changed in place to what leaves layer range.end - 1.
  void run_layers(const std::vector<Batch>& batches, const LayerRange& range, at::Tensor& residual, const Step& step);
  // Next-token losses of the residual behind the last layer, for the taps that want them.
  void run_losses(const std::vector<Batch>& batches, const at::Tensor& residual, const Step& step);

 private:
  const model::ModelConfig& config_;
  const WaveContext context_;
  const MemoryPlan& plan_;
  TapSet& taps_;
  model::EmbeddingWeights embeddings_;
  LayerSource layers_;
  model::RotaryTable rotary_;
};

}  // namespace moescope::engine
