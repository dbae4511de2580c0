// The parts of run.json that every run over a model has.
#pragma once

#include <cstdint>
#include <string>

#include "moescope/engine/plan.h"
#include "moescope/model/weights.h"
#include "moescope/run/run_json.h"

namespace moescope::record {

// `name`: as asked for; `hash`: io::checkpoint_hash of its folder.
run::ModelPart model_part(const model::Checkpoint& checkpoint, const std::string& name, const std::string& hash);
// With the largest resident size up to now.
run::MemoryPart memory_part(const engine::MemoryPlan& plan, std::uint64_t budget_bytes);

}  // namespace moescope::record
