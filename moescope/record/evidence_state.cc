// The saved state of evidence, and merging: the same bytes, in memory or as they lie in a mapped file.
#include <algorithm>
#include <cstring>
#include <string>

#include "moescope/record/evidence.h"

namespace moescope::record {
namespace {

const char* prefix(EvidenceKind kind) {
  return kind == EvidenceKind::kStrongest ? "evidence.strongest." : "evidence.sample.";
}

template <typename T>
std::span<const std::byte> as_bytes(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

std::span<const std::byte> read_exactly(const io::SafetensorsFile& state, const std::string& name,
                                        std::size_t n_bytes) {
  const std::span<const std::byte> bytes = state.at(name).bytes;
  if (bytes.size() == n_bytes) return bytes;
  throw input_error("{}: '{}' has {} bytes, expected {}", state.path().string(), name, bytes.size(), n_bytes);
}

template <typename T>
T element(std::span<const std::byte> bytes, std::size_t place) {
  T value;
  std::memcpy(&value, bytes.data() + place * sizeof(T), sizeof(T));
  return value;
}

void copy(std::span<const std::byte> from, void* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

}  // namespace

EvidenceCollector::StoreBytes EvidenceCollector::bytes_of(const Store& store) {
  return {as_bytes(store.size),
          as_bytes(store.candidates),
          as_bytes(store.scores),
          {static_cast<const std::byte*>(store.outputs.const_data_ptr()), store.outputs.nbytes()}};
}

EvidenceCollector::StoreBytes EvidenceCollector::read_bytes(const io::SafetensorsFile& state,
                                                            const Store& store) const {
  const StoreBytes own = bytes_of(store);
  const std::string name = prefix(store.kind);
  const StoreBytes read = {read_exactly(state, name + "size", own.size.size()),
                           read_exactly(state, name + "candidates", own.candidates.size()),
                           read_exactly(state, name + "scores", own.scores.size()),
                           read_exactly(state, name + "outputs", own.outputs.size())};
  for (std::size_t expert = 0; expert < store.size.size(); ++expert) {
    const auto size = element<std::int32_t>(read.size, expert);
    bool broken = size < 0 || size > store.capacity;
    for (std::int32_t i = 0; !broken && i < size; ++i) {
      const std::size_t first = expert * static_cast<std::size_t>(store.capacity);
      const auto slot = element<Candidate>(read.candidates, first + static_cast<std::size_t>(i)).slot;
      broken = slot < 0 || slot >= store.capacity;
    }
    if (broken) throw input_error("{}: broken evidence", state.path().string());
  }
  return read;
}

void EvidenceCollector::add_state(StateArrays& arrays) const {
  const auto add = [&](const std::string& name, std::span<const std::byte> data) {
    arrays.push_back({name, io::DType::kU8, {static_cast<std::int64_t>(data.size())}, data});
  };
  add("evidence.n_fired", as_bytes(n_fired_));
  for (const Store* store : {&strongest_, &sample_}) {
    const StoreBytes bytes = bytes_of(*store);
    const std::string name = prefix(store->kind);
    add(name + "size", bytes.size);
    add(name + "candidates", bytes.candidates);
    add(name + "scores", bytes.scores);
    add(name + "outputs", bytes.outputs);
  }
}

void EvidenceCollector::load_state(const io::SafetensorsFile& state) {
  copy(read_exactly(state, "evidence.n_fired", n_fired_.size() * sizeof(std::int64_t)), n_fired_.data());
  for (Store* store : {&strongest_, &sample_}) {
    const StoreBytes bytes = read_bytes(state, *store);
    copy(bytes.size, store->size.data());
    copy(bytes.candidates, store->candidates.data());
    copy(bytes.scores, store->scores.data());
    copy(bytes.outputs, store->outputs.mutable_data_ptr());
  }
}

void EvidenceCollector::merge(const io::SafetensorsFile& state) {
  const auto n_fired = read_exactly(state, "evidence.n_fired", n_fired_.size() * sizeof(std::int64_t));
  const StoreBytes strongest = read_bytes(state, strongest_), sample = read_bytes(state, sample_);
  for (std::size_t expert = 0; expert < n_fired_.size(); ++expert) {
    n_fired_[expert] += element<std::int64_t>(n_fired, expert);
  }
  merge(strongest_, strongest);
  merge(sample_, sample);
}

void EvidenceCollector::merge(Store& store, const StoreBytes& other) {
  const std::size_t n_slots = store.candidates.size();
  if (n_slots == 0) return;
  MOESCOPE_ASSERT(other.candidates.size() == n_slots * sizeof(Candidate));
  const auto capacity = static_cast<std::size_t>(store.capacity);
  const std::size_t scores_bytes = other.scores.size() / n_slots, outputs_bytes = other.outputs.size() / n_slots;
  auto* scores = reinterpret_cast<std::byte*>(store.scores.data());
  auto* outputs = static_cast<std::byte*>(store.outputs.mutable_data_ptr());
  for (std::size_t expert = 0; expert < store.size.size(); ++expert) {
    const auto n = static_cast<std::size_t>(element<std::int32_t>(other.size, expert));
    for (std::size_t i = 0; i < n; ++i) {
      const auto candidate = element<Candidate>(other.candidates, expert * capacity + i);
      const Candidate* place = make_room(store, expert, candidate);
      if (place == nullptr) continue;
      const std::size_t from = expert * capacity + static_cast<std::size_t>(candidate.slot);
      const std::size_t to = expert * capacity + static_cast<std::size_t>(place->slot);
      copy(other.scores.subspan(from * scores_bytes, scores_bytes), scores + to * scores_bytes);
      copy(other.outputs.subspan(from * outputs_bytes, outputs_bytes), outputs + to * outputs_bytes);
      settle(store, expert);
    }
  }
}

}  // namespace moescope::record
