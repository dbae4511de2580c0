// What an expert writes: the pieces that its strong activations promote, where they stand out against its layer.
//
// Counts the promoted tokens (top of the unembedding of the expert's output) of its evidence windows: the strongest
// ones and those of the upper half of the decile sample, a window once. A piece stands out by lift = its share among
// the expert's promoted tokens over its share in the layer. Says nothing where few windows are kept or nothing stands
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/label/traced_run.h"

namespace moescope::label {

inline constexpr std::int64_t kMinPromotedCount = 4;  // a piece must be promoted so often
inline constexpr double kMinPromotedLift = 2.0;       // and so much more than in the layer
inline constexpr double kDominantPiecesShare = 0.15;  // the pieces named must be so much of all that is promoted
inline constexpr double kDominantClassShare = 0.5;    // a class must be so much of it
inline constexpr double kDominantClassLift = 1.5;
inline constexpr std::size_t kMaxPromotedPieces = 8;

struct TellingPiece {
  std::string piece;  // as in the vocabulary
  double lift = 0;
  std::int64_t n = 0;
};

struct Promoted {
  std::vector<TellingPiece> pieces;  // most telling first
  std::string text;                  // "promotes '$' and ')'"; "" where nothing dominates
  std::int64_t n = 0;                // promoted tokens counted
};

// By expert of one layer.
std::vector<Promoted> summarize_promoted(const TracedRun& run, int layer_idx);

}  // namespace moescope::label
