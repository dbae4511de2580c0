// What an expert's output promotes: the tokens with the largest entries of U o ("logit lens"), U the unembedding.
// Source: "The Expert Strikes Back" (arXiv 2604.02178), section 5.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "moescope/base/progress.h"
#include "moescope/model/weights.h"
#include "moescope/record/evidence.h"

namespace moescope::record {

inline constexpr std::int64_t kPromotedTokens = 3;

struct LensOptions {
  bool final_norm_scale = false;  // multiply o by the final norm's weight first
  at::Device device = at::Device(at::kCPU);
};

// outputs [P, D] in the model's dtype -> [P, kPromotedTokens] i64 on the CPU, by falling logit, ties to the lower id.
// Candidates are found in the model's dtype and ordered by float32 products, since half precision makes ties.
at::Tensor promoted_tokens(const model::EmbeddingWeights& embeddings, const at::Tensor& outputs,
                           const LensOptions& options);

// For all windows: [W * kStrongestTokens * kPromotedTokens] token ids, -1: none.
std::vector<std::int32_t> promote(const std::vector<KeptWindow>& windows, const model::EmbeddingWeights& embeddings,
                                  const LensOptions& options, const Console& console);

}  // namespace moescope::record
