// What the page shows of the input-token counts: the tokens typical of an expert, and where a token goes in every
// layer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "moescope/report/run/reported_run.h"

namespace moescope::report {

struct ListedToken {
  std::int32_t token_id = 0;
  std::int64_t n_here = 0;   // times routed to the expert
  std::int64_t n_layer = 0;  // times routed to any expert of the layer: K times its occurrences
};

// Union of the `n` most frequent tokens of each expert and the `n` most over-represented ones (largest signed
// log-likelihood ratio against the rest of the layer, Dunning 1993), most frequent first. [L * E]
std::vector<std::vector<ListedToken>> listed_tokens(const ReportedRun& data, std::int64_t n);

struct IndexedToken {
  std::int32_t token_id = 0;
  std::int64_t n_occurrences = 0;               // in the run: the largest over layers of n_layer / K
  std::vector<std::vector<TokenTally>> layers;  // [L], most frequent experts first; token_id is the expert here
};

// The `n` most frequent tokens of the run, each with its `n_top` experts in every layer.
std::vector<IndexedToken> indexed_tokens(const ReportedRun& data, std::int64_t n, std::int64_t n_top);

// Entropy of the distribution of input tokens of each expert (plug-in estimate, too low where few tokens were seen);
// no value for an expert without tokens. [L * E], bits
std::vector<std::optional<double>> input_entropy_bits(const ReportedRun& data);

}  // namespace moescope::report
