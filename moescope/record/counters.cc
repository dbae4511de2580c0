#include "moescope/record/counters.h"

#include <cmath>

#include "moescope/record/row_kernels.h"

namespace moescope::record {
namespace {

template <typename T>
void add_all(std::vector<T>& sums, const std::vector<T>& more) {
  MOESCOPE_ASSERT(sums.size() == more.size());
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += more[i];
}

}  // namespace

ExpertCounters::ExpertCounters(const RecordShape& shape, std::vector<std::int32_t> domain_of_document,
                               std::int64_t n_domains)
    : n_tokens(shape.n_all()),
      sum_weight(shape.n_all()),
      sum_norm(shape.n_all()),
      sum_score(shape.n_all()),
      n_active(shape.n_all()),
      n_active_01(shape.n_all()),
      n_by_domain(shape.n_all() * static_cast<std::size_t>(n_domains)),
      shape_(shape),
      domain_of_document_(std::move(domain_of_document)),
      n_domains_(n_domains) {}

void ExpertCounters::on_expert(const ExpertBatch& expert) {
  const std::size_t idx = shape_.idx(expert.layer_idx, expert.expert_idx);
  double weight = 0, norm = 0, score = 0;
  std::int64_t* by_domain = n_by_domain.data() + idx * static_cast<std::size_t>(n_domains_);
  for (std::size_t i = 0; i < expert.rows.size(); ++i) {
    weight += static_cast<double>(expert.weights[i]);
    norm += static_cast<double>(expert.norms[i]);
    score += static_cast<double>(expert.scores[i]);
    const auto doc_idx = static_cast<std::size_t>(expert.batch.doc_idx[static_cast<std::size_t>(expert.rows[i])]);
    ++by_domain[domain_of_document_[doc_idx]];
  }
  n_tokens[idx] += static_cast<std::int64_t>(expert.rows.size());
  sum_weight[idx] += weight;
  sum_norm[idx] += norm;
  sum_score[idx] += score;
  const NeuronActivity activity = neuron_activity(expert.call.neurons);
  n_active[idx] += activity.n_nonzero;
  n_active_01[idx] += activity.n_above_01;
}

void ExpertCounters::merge(const ExpertCounters& other) {
  add_all(n_tokens, other.n_tokens);
  add_all(sum_weight, other.sum_weight);
  add_all(sum_norm, other.sum_norm);
  add_all(sum_score, other.sum_score);
  add_all(n_active, other.n_active);
  add_all(n_active_01, other.n_active_01);
  add_all(n_by_domain, other.n_by_domain);
}

void ExpertCounters::add_state(StateArrays& arrays) const {
  const auto add = [&](const char* name, const auto& values) {
    arrays.push_back(io::tensor_to_write(name, {static_cast<std::int64_t>(values.size())}, values));
  };
  add("counters.n_tokens", n_tokens);
  add("counters.sum_weight", sum_weight);
  add("counters.sum_norm", sum_norm);
  add("counters.sum_score", sum_score);
  add("counters.n_active", n_active);
  add("counters.n_active_01", n_active_01);
  add("counters.n_by_domain", n_by_domain);
}

void ExpertCounters::load_state(const io::SafetensorsFile& state) {
  load_array(state, "counters.n_tokens", n_tokens);
  load_array(state, "counters.sum_weight", sum_weight);
  load_array(state, "counters.sum_norm", sum_norm);
  load_array(state, "counters.sum_score", sum_score);
  load_array(state, "counters.n_active", n_active);
  load_array(state, "counters.n_active_01", n_active_01);
  load_array(state, "counters.n_by_domain", n_by_domain);
}

std::uint64_t ExpertCounters::bytes() const { return 8 * (6 * shape_.n_all() + n_by_domain.size()); }

RouterStatistics::RouterStatistics(const RecordShape& shape)
    : n_tokens(static_cast<std::size_t>(shape.n_layers)),
      sum_entropy_bits(static_cast<std::size_t>(shape.n_layers)),
      sum_margin(static_cast<std::size_t>(shape.n_layers)),
      coactivation(static_cast<std::size_t>(shape.n_layers * shape.n_experts * shape.n_experts)),
      shape_(shape) {}

void RouterStatistics::on_routing(std::int64_t layer_idx, const model::Routing& routing) {
  const auto layer = static_cast<std::size_t>(layer_idx);
  const std::int64_t n_rows = routing.probs.size(0);
  n_tokens[layer] += n_rows;
  const at::Tensor nats = at::special_entr(routing.probs).sum(1);  // -p ln p, 0 at 0
  sum_entropy_bits[layer] += nats.sum(at::kDouble).item<double>() / std::log(2.0);
  const at::Tensor best = std::get<0>(routing.probs.topk(std::min<std::int64_t>(2, routing.probs.size(1)), 1));
  at::Tensor margin = best.select(1, 0);
  if (best.size(1) > 1) margin = margin - best.select(1, 1);
  sum_margin[layer] += margin.sum(at::kDouble).item<double>();

  const at::Tensor ids = routing.expert_ids.cpu().contiguous();
  const std::int64_t* id = ids.const_data_ptr<std::int64_t>();
  const std::int64_t n_per_token = ids.size(1), n_experts = shape_.n_experts;
  std::int64_t* counts = coactivation.data() + layer_idx * n_experts * n_experts;
  for (std::int64_t row = 0; row < n_rows; ++row, id += n_per_token) {
    for (std::int64_t i = 0; i < n_per_token; ++i) {
      std::int64_t* of_expert = counts + id[i] * n_experts;
      for (std::int64_t j = 0; j < n_per_token; ++j) ++of_expert[id[j]];
    }
  }
}

void RouterStatistics::merge(const RouterStatistics& other) {
  add_all(n_tokens, other.n_tokens);
  add_all(sum_entropy_bits, other.sum_entropy_bits);
  add_all(sum_margin, other.sum_margin);
  add_all(coactivation, other.coactivation);
}

void RouterStatistics::add_state(StateArrays& arrays) const {
  const auto add = [&](const char* name, const auto& values) {
    arrays.push_back(io::tensor_to_write(name, {static_cast<std::int64_t>(values.size())}, values));
  };
  add("router.n_tokens", n_tokens);
  add("router.sum_entropy_bits", sum_entropy_bits);
  add("router.sum_margin", sum_margin);
  add("router.coactivation", coactivation);
}

void RouterStatistics::load_state(const io::SafetensorsFile& state) {
  load_array(state, "router.n_tokens", n_tokens);
  load_array(state, "router.sum_entropy_bits", sum_entropy_bits);
  load_array(state, "router.sum_margin", sum_margin);
  load_array(state, "router.coactivation", coactivation);
}

void LossSum::add(const engine::Batch& batch, const at::Tensor& losses) {
  const float* values = losses.const_data_ptr<float>();
  for (std::size_t i = 0; i < batch.next_token_id.size(); ++i) {
    if (batch.next_token_id[i] < 0) continue;
    ++n;
    sum_nats += static_cast<double>(values[i]);
  }
}

void LossSum::merge(const LossSum& other) {
  n += other.n;
  sum_nats += other.sum_nats;
}

}  // namespace moescope::record
