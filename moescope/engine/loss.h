// Next-token losses of a batch's rows, some rows of logits at a time, so that [N, V] is never whole in memory.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "moescope/engine/batch.h"
#include "moescope/model/config.h"
#include "moescope/model/weights.h"

namespace moescope::engine {

// residual [N, D] behind the last layer -> [N] f32 on the CPU: -ln p(next token) from float32 log-probabilities for
// rows with next_token_id >= 0, 0 elsewhere.
at::Tensor next_token_losses(const model::ModelConfig& config, const model::EmbeddingWeights& embeddings,
                             const at::Tensor& residual, const Batch& batch, std::int64_t rows_at_a_time);

}  // namespace moescope::engine
