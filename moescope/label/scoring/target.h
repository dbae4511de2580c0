// What a rule of an expert shall predict: the tokens that the expert takes most strongly.
//
// y = 1 where the expert is chosen with a score (router weight times output norm) among the strongest that together
// carry half of its total score. The threshold is found on the explain rows and then holds everywhere. Tokens that
// reach the expert with a smaller score are left out: neither positive nor negative. With `any_routing` every chosen
// token is positive and none is left out.
// A shared expert chooses nothing: every token reaches it. What it takes most strongly is told from what it takes less
// strongly, so that its weaker tokens are the negatives and none is left out, with any_routing, too. Its base rate is
// high (near one half where its scores are even) and says so beside its scores.
#pragma once

#include <cstdint>
#include <vector>

#include "moescope/label/scoring/split.h"
#include "moescope/label/traced_run.h"

namespace moescope::label {

inline constexpr double kScoreShare = 0.5;

struct Target {
  std::vector<std::uint32_t> positive;  // rows, rising
  std::vector<std::uint32_t> left_out;  // rows, rising
  std::int64_t n_routed = 0;            // rows that reach the expert
  float threshold = 0;                  // smallest positive score
};

// Targets of all experts of a layer, the shared one last if there is one.
std::vector<Target> make_targets(const TracedRun& run, const LayerRouting& routing, const TokenSplit& split,
                                 bool any_routing);

// Smallest score of the strongest ones that together carry at least kScoreShare of the sum; infinite for none.
float half_score_threshold(std::vector<float> scores);

}  // namespace moescope::label
