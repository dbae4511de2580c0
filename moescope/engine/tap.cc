#include "moescope/engine/tap.h"

namespace moescope::engine {

model::ExpertCall call_of_shared(const model::SharedCall& shared, std::int64_t expert_idx) {
  model::ExpertCall call;
  call.expert_idx = expert_idx;
  call.rows = call.slots = at::arange(shared.outputs.size(0), at::kLong);
  call.weights = shared.weights;
  call.neurons = shared.neurons;
  call.outputs = shared.outputs;
  return call;
}

}  // namespace moescope::engine
