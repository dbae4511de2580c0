// `moescope trace`: everything the taps see for one input, so that anyone can check it against their own code.
//
// Tensors, T tokens of one sequence: `token_ids` [T] I32, `logits` [T,V] F32, and per layer l
// `layers.{l}.router_logits` [T,E] F32 (before softmax), `.expert_ids` [T,K] I32 (by falling probability),
// `.expert_weights` [T,K] F32 (as applied),
// `.neurons` [T,K,F], `.expert_outputs` [T,K,D] (before weighting), `.residual` [T,D] (entering the layer); the last
// three in the dtype that the model ran in. tests/reference/check_trace.py compares such a file with transformers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "moescope/model/language_model.h"

namespace moescope::record {

// The words of what can be asked for, in the order above: logits, router, neurons, outputs, residual ("router" is
// logits, ids, weights).
const std::vector<std::string>& trace_parts();

// Runs `ids` as one sequence and writes the parts asked for (all if empty). Returns the names written.
// Throws kInput for no tokens, ids outside the vocabulary, more tokens than the context; kUsage for an unknown part.
std::vector<std::string> write_model_trace(const model::LanguageModel& model, const std::vector<std::int64_t>& ids,
                                           const std::set<std::string>& parts, const std::filesystem::path& out);

}  // namespace moescope::record
