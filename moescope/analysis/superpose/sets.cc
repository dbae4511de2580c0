#include "moescope/analysis/superpose/sets.h"

#include "moescope/analysis/superpose/geometry.h"

namespace moescope::analysis::superpose {

namespace {

// The rows asked for, scaled, less their mean, of norm 1 (zero rows stay zero).
at::Tensor centred(const at::Tensor& all, const at::Tensor& ids, const at::Tensor& scale) {
  at::Tensor rows = all.index_select(0, ids).to(at::kFloat);
  if (scale.defined()) rows = rows * scale.to(at::kFloat);
  rows = rows - rows.mean(0, true);
  return rows / rows.norm(2, 1, true).clamp_min(1e-30);
}

}  // namespace

TokenDirections token_directions(const model::EmbeddingWeights& embeddings,
                                 const std::vector<std::int64_t>& token_ids) {
  const at::Tensor ids = at::tensor(token_ids, at::kLong).to(embeddings.token_embedding.device());
  return {centred(embeddings.token_embedding, ids, {}),
          centred(embeddings.unembedding, ids, embeddings.final_norm.weight)};
}

std::vector<LayerSet> weight_sets(const model::ModelConfig& config, const model::LayerWeights& layer,
                                  const TokenDirections& directions) {
  using Density = LayerSet::Density;
  const bool norm_before = config.order != model::LayerOrder::kPostNorm;
  const at::Tensor gamma = norm_before ? layer.feed_forward_norm.weight : at::Tensor();
  LayerSet neurons_gate{"neurons_gate", {}, true, Density::kNone};
  LayerSet neurons_up{"neurons_up", {}, true, Density::kNone};
  LayerSet neurons_down{"neurons_down", {}, true, Density::kNone};
  LayerSet embedding_gate{"embedding_gate", {}, false, Density::kToken};
  LayerSet embedding_up{"embedding_up", {}, false, Density::kToken};
  LayerSet unembedding_gate{"unembedding_gate", {}, false, Density::kNextToken};
  LayerSet unembedding_up{"unembedding_up", {}, false, Density::kNextToken};
  LayerSet unembedding_down{"unembedding_down", {}, false, Density::kNextToken};
  const auto read = [&](const at::Tensor& weight, LayerSet& neurons, LayerSet& embedding, LayerSet& unembedding) {
    if (!weight.defined()) return;
    const at::Tensor folded = gamma.defined() ? weight * gamma : weight;  // [F, D]
    neurons.rows.push_back(folded);
    embedding.rows.push_back(at::mm(directions.embedding, folded.t()));
    unembedding.rows.push_back(at::mm(directions.unembedding, folded.t()));
  };
  for (const model::ExpertWeights& expert : layer.experts) {
    if (config.expert.gated) read(expert.gate.weight, neurons_gate, embedding_gate, unembedding_gate);
    read(expert.up.weight, neurons_up, embedding_up, unembedding_up);
    neurons_down.rows.push_back(expert.down.weight.t());
    unembedding_down.rows.push_back(at::mm(directions.unembedding, expert.down.weight));
  }
  std::vector<LayerSet> sets;
  for (LayerSet* set : {&neurons_gate, &neurons_up, &neurons_down, &embedding_gate, &embedding_up, &unembedding_gate,
                        &unembedding_up, &unembedding_down}) {
    if (!set->rows.empty()) sets.push_back(std::move(*set));
  }
  return sets;
}

std::vector<at::Tensor> shuffle_experts(const LayerSet& set, std::uint64_t seed) {
  const std::int64_t side = set.neurons_are_rows ? 0 : 1;
  const at::Tensor all = at::cat(set.rows, side);
  const at::Tensor order = random_order(all.size(side), seed).to(all.device());
  std::vector<at::Tensor> dealt;
  std::int64_t first = 0;
  for (const at::Tensor& rows : set.rows) {
    dealt.push_back(all.index_select(side, order.narrow(0, first, rows.size(side))));
    first += rows.size(side);
  }
  return dealt;
}

}  // namespace moescope::analysis::superpose
