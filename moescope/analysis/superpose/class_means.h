// A tap that sums an expert's neurons over classes of tokens ("the token is ` the`", "the word is a verb"), so that a
// class has a direction in the expert's hidden space: the mean of its tokens less the mean of all the expert's tokens.
//
// Null model: inside each sequence the labels of the tokens that reached the expert are rotated by a random amount
// above 0, so every class keeps its number of tokens, its documents and its spacing, and loses its tokens. What stays
// is noise of means over few tokens. A sequence with one token in the expert takes no part in the null and is counted.
// Sums in float64; nothing depends on waves or batches but float rounding. Not thread-safe. Non-goals: keeping neurons.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "moescope/engine/tap.h"
#include "moescope/model/config.h"

namespace moescope::analysis::superpose {

// Which classes each token of a corpus belongs to.
struct TokenClasses {
  std::vector<std::string> names;   // [C]
  std::vector<std::int64_t> begin;  // [N + 1] into classes
  std::vector<std::int32_t> classes;
  // [V] class of a token id, -1: none. Empty unless classes are token ids; then following tokens are counted, too.
  std::vector<std::int32_t> of_token_id;
};

// Of one expert.
struct ClassSums {
  std::int64_t n_tokens = 0;
  std::vector<std::int64_t> n, n_rotated, n_next;  // [C] tokens of a class; of a rotated label; next token is of it
  at::Tensor sum;                                  // [F] f64, of all tokens
  at::Tensor by_class, by_rotated;                 // [C, F] f64
};

class ClassMeans : public engine::Tap {
 public:
  // Views config and classes.
  ClassMeans(const model::ModelConfig& config, const TokenClasses& classes, std::uint64_t seed);

  std::string name() const override { return "class means"; }
  engine::TapNeeds needs() const override;
  engine::TapMemory memory() const override;
  void on_expert(const engine::LayerView& view, const model::ExpertCall& call) override;

  const ClassSums& of(std::int64_t layer, std::int64_t expert) const;
  // Tokens that stand alone in their sequence and expert, over all layers: without a place in the null.
  std::int64_t n_alone() const { return n_alone_; }

 private:
  const model::ModelConfig& config_;
  const TokenClasses& classes_;
  std::uint64_t seed_;
  std::vector<std::vector<ClassSums>> sums_;  // by layer, expert
  std::int64_t n_alone_ = 0;
};

// Directions of the classes with at least `least` tokens in the expert.
struct ClassRows {
  at::Tensor rows;                      // [n, F] f64; n may be 0
  std::vector<std::int32_t> class_idx;  // [n]
};
ClassRows class_rows(const ClassSums& sums, std::int64_t least, bool rotated);

}  // namespace moescope::analysis::superpose
