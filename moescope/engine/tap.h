// Taps read what a model does while the engine runs a corpus through it. A tap says beforehand what it wants; it gets
// exactly that, layer by layer and batch by batch, and the run fails at its end if it never got something.
//
// Order of calls for one wave: for each layer, for each batch: on_residual, on_routing, on_expert (experts with tokens,
// ascending), on_shared, on_layer_end; behind the last layer, for each batch: on_final. Calls come from one thread.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "moescope/engine/batch.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/moe.h"

namespace moescope::engine {

struct TapNeeds {
  bool residual = false;                  // entering the layer
  bool routing = false;                   // router logits, probabilities, expert ids, weights
  bool experts = false;                   // neurons and outputs of every expert that a router chooses
  bool shared = false;                    // and of the shared expert, in layers that have one
  bool final = false;                     // next-token losses
  std::vector<std::int64_t> layers = {};  // empty: all layers
};

// What a tap allocates, for the memory plan.
struct TapMemory {
  std::uint64_t fixed_bytes = 0;            // over the whole run, on the host
  std::uint64_t bytes_per_batch_token = 0;  // while a batch passes a layer
};

// One batch in one layer. Valid during a call.
struct LayerView {
  std::int64_t layer_idx = 0;
  const Batch& batch;
};

// A shared expert as an expert that every row of the batch reaches, under the number `expert_idx`: for taps that take
// both.
model::ExpertCall call_of_shared(const model::SharedCall& shared, std::int64_t expert_idx);

class Tap {
 public:
  virtual ~Tap() = default;
  virtual std::string name() const = 0;
  virtual TapNeeds needs() const = 0;
  virtual TapMemory memory() const { return {}; }

  virtual void on_residual(const LayerView& /*view*/, const at::Tensor& /*residual [N, D]*/) {}
  virtual void on_routing(const LayerView& /*view*/, const model::Routing& /*routing*/) {}
  virtual void on_expert(const LayerView& /*view*/, const model::ExpertCall& /*call*/) {}
  // The expert that every token reaches besides its own: all N rows of the batch.
  virtual void on_shared(const LayerView& /*view*/, const model::SharedCall& /*call*/) {}
  virtual void on_layer_end(const LayerView& /*view*/) {}
  // losses [N] f32 on the CPU: -ln p(next token), for rows with batch.next_token_id >= 0; 0 elsewhere.
  virtual void on_final(const Batch& /*batch*/, const at::Tensor& /*losses*/) {}
};

}  // namespace moescope::engine
