#include "moescope/record/input_tokens.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "moescope/run/record_files.h"

namespace moescope::record {
namespace {

// Adds `more` to `known`, both by ascending token id, in one walk along the two: ids that are known first, then the new
// ones are merged in.
void add_counts(std::vector<TokenCount>& known, std::span<const TokenCount> more) {
  const std::size_t n_known = known.size();
  std::size_t place = 0;
  for (const TokenCount& entry : more) {
    while (place < n_known && known[place].token_id < entry.token_id) ++place;
    if (place < n_known && known[place].token_id == entry.token_id) {
      known[place].n += entry.n;
    } else {
      known.push_back(entry);
    }
  }
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(n_known);
  std::inplace_merge(known.begin(), middle, known.end(),
                     [](const TokenCount& a, const TokenCount& b) { return a.token_id < b.token_id; });
}

}  // namespace

InputTokenCounts::InputTokenCounts(const RecordShape& shape)
    : shape_(shape), counts_(shape.n_all()), scratch_(static_cast<std::size_t>(shape.d_vocab)) {}

void InputTokenCounts::on_expert(const ExpertBatch& expert) {
  touched_.clear();
  for (const std::int64_t row : expert.rows) {
    const std::int32_t token_id = expert.batch.token_ids[static_cast<std::size_t>(row)];
    if (scratch_[static_cast<std::size_t>(token_id)]++ == 0) touched_.push_back({token_id, 0});
  }
  std::sort(touched_.begin(), touched_.end(),
            [](const TokenCount& a, const TokenCount& b) { return a.token_id < b.token_id; });
  for (TokenCount& entry : touched_) entry.n = std::exchange(scratch_[static_cast<std::size_t>(entry.token_id)], 0);
  add_counts(counts_[shape_.idx(expert.layer_idx, expert.expert_idx)], touched_);
}

void InputTokenCounts::merge(const InputTokenCounts& other) {
  MOESCOPE_ASSERT(counts_.size() == other.counts_.size());
  for (std::size_t idx = 0; idx < counts_.size(); ++idx) add_counts(counts_[idx], other.counts_[idx]);
}

InputTokenCounts::Flat InputTokenCounts::flatten(std::int64_t first_layer, std::int64_t end_layer) const {
  Flat flat;
  for (std::size_t idx = shape_.idx(first_layer, 0); idx < shape_.idx(end_layer, 0); ++idx) {
    flat.n_of_expert.push_back(static_cast<std::int64_t>(counts_[idx].size()));
    for (const TokenCount& entry : counts_[idx]) {
      flat.token_id.push_back(entry.token_id);
      flat.count.push_back(entry.n);
    }
  }
  return flat;
}

void InputTokenCounts::add_state(const Flat& storage, StateArrays& arrays) {
  const auto add = [&](const char* name, const auto& values) {
    arrays.push_back(io::tensor_to_write(name, {static_cast<std::int64_t>(values.size())}, values));
  };
  add("input_tokens.n_of_expert", storage.n_of_expert);
  add("input_tokens.token_id", storage.token_id);
  add("input_tokens.count", storage.count);
}

void InputTokenCounts::load_state(const io::SafetensorsFile& state) {
  std::vector<std::int64_t> n_of_expert(shape_.n_all());
  load_array(state, "input_tokens.n_of_expert", n_of_expert);
  const auto token_id = state.at("input_tokens.token_id").to_vector<std::int32_t>();
  const auto count = state.at("input_tokens.count").to_vector<std::int64_t>();
  std::size_t place = 0;
  for (std::size_t idx = 0; idx < counts_.size(); ++idx) {
    const auto n = static_cast<std::size_t>(n_of_expert[idx]);
    if (n > token_id.size() - place || token_id.size() != count.size()) {
      throw input_error("{}: input-token lists do not fit together", state.path().string());
    }
    counts_[idx].clear();
    for (std::size_t i = 0; i < n; ++i, ++place) counts_[idx].push_back({token_id[place], count[place]});
  }
}

std::uint64_t InputTokenCounts::estimate_bytes(const RecordShape& shape, std::int64_t n_tokens) {
  constexpr double kHeapsFactor = 44, kVectorSlack = 1.5;
  const auto bytes = [&](double n, std::int64_t n_experts) {  // of experts that n tokens reach
    const double n_distinct = std::min({static_cast<double>(shape.d_vocab), kHeapsFactor * std::sqrt(n), n});
    return kVectorSlack * n_distinct * static_cast<double>(sizeof(TokenCount)) * static_cast<double>(n_experts);
  };
  const auto n_all = static_cast<double>(n_tokens), k = static_cast<double>(shape.n_experts_per_token);
  return static_cast<std::uint64_t>(
      bytes(n_all * k / static_cast<double>(shape.n_experts), shape.n_layers * shape.n_experts) +
      bytes(n_all, shape.d_shared > 0 ? shape.n_layers : 0));
}

void InputTokenCounts::write(const std::filesystem::path& path) const {
  std::vector<run::InputTokens> layers;
  for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
    Flat flat = flatten(layer, layer + 1);
    run::InputTokens& counts = layers.emplace_back();
    for (std::size_t e = 0; e < flat.n_of_expert.size(); ++e) {
      counts.expert.insert(counts.expert.end(), static_cast<std::size_t>(flat.n_of_expert[e]),
                           static_cast<std::int32_t>(e));
    }
    counts.n = static_cast<std::int64_t>(counts.expert.size());
    counts.token_id = std::move(flat.token_id);
    counts.count = std::move(flat.count);
  }
  run::write_layers(path, layers);
}

}  // namespace moescope::record
