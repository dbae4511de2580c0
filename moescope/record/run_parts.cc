#include "moescope/record/run_parts.h"

#include "moescope/engine/memory.h"
#include "moescope/machine/device.h"

namespace moescope::record {

run::ModelPart model_part(const model::Checkpoint& checkpoint, const std::string& name, const std::string& hash) {
  const model::ModelConfig& config = checkpoint.config();
  run::ModelPart part;
  part.name = name;
  part.family = config.family;
  part.n_layers = config.n_layers;
  part.n_experts = config.router.n_experts;
  part.n_experts_per_token = config.router.n_experts_per_token;
  part.d_model = config.d_model;
  part.d_expert = config.d_expert;
  part.d_shared = config.d_shared;
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    if (config.is_dense(l)) part.dense_layers.push_back(l);
  }
  part.d_vocab = config.d_vocab;
  part.n_parameters = config.n_parameters();
  part.n_active_parameters = config.n_active_parameters();
  part.dtype = machine::dtype_word(checkpoint.stored_dtype());
  part.hash = hash;
  return part;
}

run::MemoryPart memory_part(const engine::MemoryPlan& plan, std::uint64_t budget_bytes) {
  run::MemoryPart part;
  part.budget_bytes = budget_bytes;
  part.planned_bytes = plan.total_bytes();
  part.peak_bytes = engine::peak_resident_bytes();
  part.plan = run::MemoryPlanPart{plan.resident_bytes, plan.weight_bytes, plan.wave_bytes,   plan.batch_bytes,
                                  plan.tap_bytes,      plan.wave_tokens,  plan.batch_tokens, plan.keep_layers};
  return part;
}

}  // namespace moescope::record
