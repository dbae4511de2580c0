// The sets of feature directions that are measured in one layer of a language model, and their null models.
//
// Weights (rows of E experts at once; gamma: the weight of the norm before the feed-forward part, folded in where the
// norm stands before it; gamma_f: that of the final norm):
//   neurons_gate, neurons_up   [F, D]  a neuron's reading direction: a row of the gate or up projection, times gamma
//   neurons_down               [F, D]  its writing direction: a column of the down projection
//   embedding_gate, _up        [n, F]  how the neurons read a token's embedding row: the feature "this token is t"
//   unembedding_gate, _up      [n, F]  how they read a row of the unembedding (times gamma_f): "the next token is t"
//   unembedding_down           [n, F]  how much each neuron promotes token t: a row of the unembedding times down
// Rows of embedding and unembedding are centred (less the mean row of the tokens taken, so that what all of them share,
// such as "a frequent token", is no feature) and scaled to norm 1, so that norms say what the expert does and not how
// long a token's row is.
// From text (class_means.h): tokens_active, concepts_active [n, F]: mean neurons over a class's tokens less the mean of
// all.
//
// Null models. random_directions: rows of the same norms, uniformly random directions. shuffled_experts: the neurons
// of a layer dealt to its experts at random (columns of the token sets, rows of the neuron sets); absent in a layer of
// one expert. rotated_labels: class_means.h; of text sets only.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "moescope/model/config.h"
#include "moescope/model/weights.h"

namespace moescope::analysis::superpose {

inline constexpr const char* kModel = "model";
inline constexpr const char* kRandom = "random_directions";
inline constexpr const char* kShuffled = "shuffled_experts";
inline constexpr const char* kRotated = "rotated_labels";

// Directions of n tokens in the residual stream, [n, D] f32, centred and of norm 1.
struct TokenDirections {
  at::Tensor embedding, unembedding;
};
TokenDirections token_directions(const model::EmbeddingWeights& embeddings, const std::vector<std::int64_t>& token_ids);

// One set in one layer: rows of every expert. Which side experts share tells how they are shuffled.
struct LayerSet {
  std::string name;
  std::vector<at::Tensor> rows;  // [E] of [n, m] f32
  bool neurons_are_rows = false;
  enum class Density { kNone, kToken, kNextToken } density = Density::kNone;
};
// Sets that the model's experts do not have (gate of an ungated expert) are left out.
std::vector<LayerSet> weight_sets(const model::ModelConfig& config, const model::LayerWeights& layer,
                                  const TokenDirections& directions);

// The rows of every expert once the neurons of all of them are dealt at random; [E] tensors of the same shapes.
std::vector<at::Tensor> shuffle_experts(const LayerSet& set, std::uint64_t seed);

}  // namespace moescope::analysis::superpose
