#include "moescope/record/evidence.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <type_traits>

#include "moescope/base/random.h"

namespace moescope::record {
namespace {

static_assert(std::is_trivially_copyable_v<Candidate>);

// Whether a stays rather than b.
bool stays(EvidenceKind kind, const Candidate& a, const Candidate& b) {
  if (kind == EvidenceKind::kSample && a.priority != b.priority) return a.priority < b.priority;
  if (kind == EvidenceKind::kStrongest && a.strength != b.strength) return a.strength > b.strength;
  return a.window_idx < b.window_idx;
}

// Keeps the samples of experts apart. A shared expert's does not move those of the routed ones.
std::uint64_t sample_key(const RecordShape& shape, std::int64_t layer, std::int64_t expert) {
  const bool shared = shape.kind(layer, expert) == ExpertKind::kShared;
  return static_cast<std::uint64_t>(shared ? shape.n_layers * shape.n_experts + layer
                                           : layer * shape.n_experts + expert);
}

}  // namespace

EvidenceCollector::EvidenceCollector(const RecordShape& shape, const EvidenceOptions& options, at::ScalarType dtype)
    : shape_(shape),
      options_(options),
      n_fired_(shape.n_all()),
      strongest_(make_store(EvidenceKind::kStrongest, options.n_strongest, dtype)),
      sample_(make_store(EvidenceKind::kSample, options.n_reservoir, dtype)) {}

EvidenceCollector::Store EvidenceCollector::make_store(EvidenceKind kind, std::int64_t capacity,
                                                       at::ScalarType dtype) const {
  const std::size_t n_slots = shape_.n_all() * static_cast<std::size_t>(capacity);
  Store store;
  store.kind = kind;
  store.capacity = capacity;
  store.size.resize(shape_.n_all());
  store.candidates.resize(n_slots);
  store.scores.resize(n_slots * static_cast<std::size_t>(options_.window));
  store.outputs = at::empty(
      {static_cast<std::int64_t>(n_slots), static_cast<std::int64_t>(kStrongestTokens), shape_.d_model}, dtype);
  return store;
}

std::uint64_t EvidenceCollector::bytes(const RecordShape& shape, const EvidenceOptions& options, at::ScalarType dtype) {
  const auto n_slots = shape.n_all() * static_cast<std::size_t>(options.n_strongest + options.n_reservoir);
  const auto outputs = kStrongestTokens * static_cast<std::size_t>(shape.d_model) * at::elementSize(dtype);
  return n_slots * (sizeof(Candidate) + 4 * static_cast<std::size_t>(options.window) + outputs);
}

void EvidenceCollector::on_expert(const ExpertBatch& expert) {
  const std::size_t idx = shape_.idx(expert.layer_idx, expert.expert_idx);
  const std::uint64_t key = sample_key(shape_, expert.layer_idx, expert.expert_idx);
  const auto window_of = [&](std::size_t i) {
    return expert.batch.window_of_row[static_cast<std::size_t>(expert.rows[i])];
  };
  picks_.clear();
  for (std::size_t begin = 0, end = 0; begin < expert.rows.size(); begin = end) {
    const std::int32_t place = window_of(begin);
    float strength = expert.scores[begin];
    for (end = begin + 1; end < expert.rows.size() && window_of(end) == place; ++end) {
      strength = std::max(strength, expert.scores[end]);
    }
    const engine::BatchWindow& window = expert.batch.windows[static_cast<std::size_t>(place)];
    ++n_fired_[idx];
    Candidate candidate;
    candidate.window_idx = window.window_idx;
    candidate.priority = hash64(options_.seed, static_cast<std::uint64_t>(window.window_idx), key);
    candidate.strength = strength;
    candidate.doc_idx = window.doc_idx;
    candidate.position = window.position;
    candidate.n_tokens = window.n_tokens;
    candidate.first_token = expert.batch.token_idx[static_cast<std::size_t>(window.first_row)];
    offer(strongest_, idx, expert, candidate, begin, end);
    offer(sample_, idx, expert, candidate, begin, end);
  }
  copy_outputs(expert.call.outputs);
}

void EvidenceCollector::offer(Store& store, std::size_t expert, const ExpertBatch& batch, const Candidate& candidate,
                              std::size_t begin, std::size_t end) {
  Candidate* place = make_room(store, expert, candidate);
  if (place == nullptr) return;
  fill(store, expert, batch, *place, begin, end);
  settle(store, expert);
}

Candidate* EvidenceCollector::make_room(Store& store, std::size_t expert, const Candidate& candidate) {
  if (store.capacity == 0) return nullptr;
  Candidate* heap = store.candidates.data() + expert * static_cast<std::size_t>(store.capacity);
  std::int32_t& size = store.size[expert];
  std::int32_t slot = size;
  if (size == store.capacity) {
    if (!stays(store.kind, candidate, *heap)) return nullptr;
    std::pop_heap(heap, heap + size, [&](const Candidate& a, const Candidate& b) { return stays(store.kind, a, b); });
    --size;
    slot = heap[size].slot;
  }
  heap[size] = candidate;
  heap[size].slot = slot;
  return heap + size;
}

void EvidenceCollector::settle(Store& store, std::size_t expert) {
  Candidate* heap = store.candidates.data() + expert * static_cast<std::size_t>(store.capacity);
  std::push_heap(heap, heap + ++store.size[expert],
                 [&](const Candidate& a, const Candidate& b) { return stays(store.kind, a, b); });
}

// Writes scores and notes which output rows to copy; [begin, end) are the rows of the batch in this window.
void EvidenceCollector::fill(Store& store, std::size_t expert, const ExpertBatch& batch, Candidate& candidate,
                             std::size_t begin, std::size_t end) {
  const std::size_t slot = expert * static_cast<std::size_t>(store.capacity) + static_cast<std::size_t>(candidate.slot);
  const auto width = static_cast<std::size_t>(options_.window);
  const std::int32_t place = batch.batch.window_of_row[static_cast<std::size_t>(batch.rows[begin])];
  const std::int64_t first_row = batch.batch.windows[static_cast<std::size_t>(place)].first_row;
  float* scores = store.scores.data() + slot * width;
  std::fill_n(scores, width, 0.0F);
  for (std::size_t i = begin; i < end; ++i) scores[batch.rows[i] - first_row] = batch.scores[i];

  std::vector<std::size_t> order(end - begin);
  std::iota(order.begin(), order.end(), begin);
  const std::size_t n_strongest = std::min(kStrongestTokens, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n_strongest), order.end(),
                    [&](std::size_t a, std::size_t b) {
                      return batch.scores[a] != batch.scores[b] ? batch.scores[a] > batch.scores[b] : a < b;
                    });
  candidate.strongest.fill(-1);
  const std::size_t row_bytes = static_cast<std::size_t>(shape_.d_model) * store.outputs.element_size();
  auto* outputs = static_cast<std::byte*>(store.outputs.mutable_data_ptr()) + slot * kStrongestTokens * row_bytes;
  for (std::size_t j = 0; j < n_strongest; ++j) {
    candidate.strongest[j] = static_cast<std::int32_t>(batch.rows[order[j]] - first_row);
    picks_.push_back({outputs + j * row_bytes, static_cast<std::int64_t>(order[j])});
  }
}

// In the order in which they were noted: a slot that was given up and taken again gets its last window's outputs.
void EvidenceCollector::copy_outputs(const at::Tensor& outputs) {
  if (picks_.empty()) return;
  at::Tensor rows = outputs;
  const bool gather = !outputs.is_cpu() || !outputs.is_contiguous();
  if (gather) {
    std::vector<std::int64_t> idx;
    for (const Pick& pick : picks_) idx.push_back(pick.row);
    rows = outputs.index_select(0, at::tensor(idx, at::kLong).to(outputs.device())).cpu().contiguous();
  }
  const auto* from = static_cast<const std::byte*>(rows.const_data_ptr());
  const std::size_t row_bytes = static_cast<std::size_t>(rows.size(1)) * rows.element_size();
  for (std::size_t i = 0; i < picks_.size(); ++i) {
    const std::size_t row = gather ? i : static_cast<std::size_t>(picks_[i].row);
    std::memcpy(picks_[i].to, from + row * row_bytes, row_bytes);
  }
}

KeptWindow EvidenceCollector::keep(const Store& store, std::size_t expert, const Candidate& candidate,
                                   std::int32_t decile) const {
  const std::size_t slot = expert * static_cast<std::size_t>(store.capacity) + static_cast<std::size_t>(candidate.slot);
  const auto width = static_cast<std::size_t>(options_.window);
  KeptWindow kept;
  kept.layer_idx = static_cast<std::int64_t>(expert) / shape_.n_columns();
  kept.expert_idx = static_cast<std::int64_t>(expert) % shape_.n_columns();
  kept.kind = store.kind;
  kept.decile = decile;
  kept.candidate = &candidate;
  kept.scores = {store.scores.data() + slot * width, width};
  kept.outputs = store.outputs.select(0, static_cast<std::int64_t>(slot));
  return kept;
}

void EvidenceCollector::keep_strongest(std::size_t expert, std::vector<KeptWindow>& kept) const {
  const Candidate* first = strongest_.candidates.data() + expert * static_cast<std::size_t>(strongest_.capacity);
  std::vector<const Candidate*> order;
  for (std::int32_t i = 0; i < strongest_.size[expert]; ++i) order.push_back(first + i);
  std::sort(order.begin(), order.end(),
            [](const Candidate* a, const Candidate* b) { return stays(EvidenceKind::kStrongest, *a, *b); });
  for (const Candidate* candidate : order) kept.push_back(keep(strongest_, expert, *candidate, -1));
}

// Deciles of strength are those of the sample itself; of each, the windows with the smallest hash are kept.
void EvidenceCollector::keep_sample(std::size_t expert, std::vector<KeptWindow>& kept) const {
  const Candidate* first = sample_.candidates.data() + expert * static_cast<std::size_t>(sample_.capacity);
  const std::int64_t size = sample_.size[expert];
  std::vector<const Candidate*> order;  // by falling strength
  for (std::int64_t i = 0; i < size; ++i) order.push_back(first + i);
  std::sort(order.begin(), order.end(),
            [](const Candidate* a, const Candidate* b) { return stays(EvidenceKind::kStrongest, *a, *b); });
  for (std::int64_t decile = kDeciles - 1; decile >= 0; --decile) {
    // Rank r from the weak end is of decile r * 10 / size.
    std::vector<const Candidate*> members;
    for (std::int64_t i = 0; i < size; ++i) {
      if ((size - 1 - i) * kDeciles / size == decile) members.push_back(order[static_cast<std::size_t>(i)]);
    }
    std::sort(members.begin(), members.end(),
              [](const Candidate* a, const Candidate* b) { return stays(EvidenceKind::kSample, *a, *b); });
    members.resize(std::min(members.size(), static_cast<std::size_t>(options_.n_per_decile)));
    std::sort(members.begin(), members.end(),
              [](const Candidate* a, const Candidate* b) { return stays(EvidenceKind::kStrongest, *a, *b); });
    for (const Candidate* member : members) {
      kept.push_back(keep(sample_, expert, *member, static_cast<std::int32_t>(decile)));
    }
  }
}

std::vector<KeptWindow> EvidenceCollector::kept() const {
  std::vector<KeptWindow> kept;
  for (std::size_t expert = 0; expert < shape_.n_all(); ++expert) {
    keep_strongest(expert, kept);
    keep_sample(expert, kept);
  }
  return kept;
}

}  // namespace moescope::record
