#include "moescope/record/trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "moescope/run/record_files.h"

namespace moescope::record {

TraceFile::TraceFile(std::filesystem::path path, const RecordShape& shape, std::int64_t n_traced)
    : path_(std::move(path)), shape_(shape), n_traced_(n_traced) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw environment_error("cannot write {}: {}", path_.string(), std::strerror(errno));
}

TraceFile::~TraceFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::vector<TraceFile::Array> TraceFile::parts() const {
  std::vector<Array> parts = {kIds, kWeights, kScores};
  if (shape_.d_shared > 0) parts.insert(parts.end(), {kSharedWeights, kSharedScores});
  return parts;
}

std::int64_t TraceFile::n_columns(Array part) const { return part <= kScores ? shape_.n_experts_per_token : 1; }

std::uint64_t TraceFile::offset(std::int64_t layer, Array part, std::int64_t token) const {
  std::int64_t n_of_layer = 0, n_before = 0;  // values a token
  for (const Array each : parts()) {
    if (each < part) n_before += n_columns(each);
    n_of_layer += n_columns(each);
  }
  const std::int64_t n = (layer * n_of_layer + n_before) * n_traced_ + token * n_columns(part);
  return static_cast<std::uint64_t>(n) * sizeof(float);
}

void TraceFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw environment_error("cannot write {}: {}", path_.string(), std::strerror(n < 0 ? errno : ENOSPC));
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void TraceFile::on_routing(std::int64_t layer_idx, const model::Routing& routing) {
  const at::Tensor ids = routing.expert_ids.to(at::kCPU, at::kInt).contiguous();
  const at::Tensor weights = routing.weights.cpu().contiguous();
  // A dense layer uses the first of a token's K places; the others hold expert -1 with weight and score 0.
  const auto k = static_cast<std::size_t>(shape_.n_experts_per_token);
  const auto used = static_cast<std::size_t>(ids.size(1)), n = static_cast<std::size_t>(ids.size(0));
  MOESCOPE_ASSERT(static_cast<std::int64_t>(used) == shape_.n_per_token_in(layer_idx));
  ids_.assign(n * k, -1);
  weights_.assign(n * k, 0.0F);
  scores_.assign(n * k, 0.0F);
  shared_weights_.assign(n, 0.0F);
  shared_scores_.assign(n, 0.0F);
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(ids.const_data_ptr<std::int32_t>() + i * used, used, ids_.begin() + static_cast<std::ptrdiff_t>(i * k));
    std::copy_n(weights.const_data_ptr<float>() + i * used, used,
                weights_.begin() + static_cast<std::ptrdiff_t>(i * k));
  }
}

void TraceFile::on_expert(const ExpertBatch& expert) {
  if (shape_.kind(expert.layer_idx, expert.expert_idx) == ExpertKind::kShared) {
    std::copy(expert.weights.begin(), expert.weights.end(), shared_weights_.begin());
    std::copy(expert.scores.begin(), expert.scores.end(), shared_scores_.begin());
    return;
  }
  const auto k = static_cast<std::size_t>(shape_.n_experts_per_token);
  const auto used = static_cast<std::size_t>(shape_.n_per_token_in(expert.layer_idx));
  for (std::size_t i = 0; i < expert.slots.size(); ++i) {
    const auto slot = static_cast<std::size_t>(expert.slots[i]);
    scores_[slot / used * k + slot % used] = expert.scores[i];
  }
}

std::span<const std::byte> TraceFile::row_bytes(Array part, std::size_t begin, std::size_t end) const {
  const auto k = static_cast<std::size_t>(n_columns(part)), first = begin * k, count = (end - begin) * k;
  const auto rows = [&](const auto& values) { return std::as_bytes(std::span(values.data() + first, count)); };
  switch (part) {
    case kIds: return rows(ids_);
    case kWeights: return rows(weights_);
    case kScores: return rows(scores_);
    case kSharedWeights: return rows(shared_weights_);
    case kSharedScores: return rows(shared_scores_);
  }
  return {};
}

void TraceFile::on_layer_end(const engine::LayerView& view) {
  const std::vector<std::int64_t>& token_idx = view.batch.token_idx;
  for (std::size_t begin = 0, end = 0; begin < token_idx.size(); begin = end) {
    end = begin + 1;
    if (token_idx[begin] >= n_traced_) continue;
    while (end < token_idx.size() && token_idx[end] == token_idx[end - 1] + 1 && token_idx[end] < n_traced_) ++end;
    for (const Array part : parts()) {
      write_at(offset(view.layer_idx, part, token_idx[begin]), row_bytes(part, begin, end));
    }
  }
}

void TraceFile::merge(const std::filesystem::path& other, TokenRange tokens) {
  tokens.end = std::min(tokens.end, n_traced_);
  if (tokens.begin >= tokens.end) return;
  const auto mapped = io::MappedFile::open(other);
  for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
    for (const Array part : parts()) {
      const std::uint64_t begin = offset(layer, part, tokens.begin), end = offset(layer, part, tokens.end);
      if (end > mapped->bytes().size()) {
        throw input_error("{} has {} bytes, expected at least {}", other.string(), mapped->bytes().size(), end);
      }
      write_at(begin, mapped->bytes().subspan(begin, end - begin));
    }
  }
}

void TraceFile::flush() {
  if (::fdatasync(descriptor_) != 0) {
    throw environment_error("cannot write {}: {}", path_.string(), std::strerror(errno));
  }
}

namespace {

run::TraceTokens describe_tokens(const text::TokenCorpus& corpus, std::int64_t n_traced) {
  run::TraceTokens tokens;
  tokens.n = n_traced;
  for (const text::Sequence& sequence : corpus.sequences) {
    for (std::int32_t i = 0; i < sequence.n_tokens && sequence.first_token + i < n_traced; ++i) {
      tokens.token_ids.push_back(corpus.token_ids[static_cast<std::size_t>(sequence.first_token + i)]);
      tokens.doc_idx.push_back(sequence.doc_idx);
      tokens.position.push_back(sequence.position + i);
      tokens.context_position.push_back(i);
    }
  }
  tokens.byte_begin = {corpus.byte_begin.begin(), corpus.byte_begin.begin() + n_traced};
  tokens.byte_end = {corpus.byte_end.begin(), corpus.byte_end.begin() + n_traced};
  return tokens;
}

}  // namespace

void TraceFile::assemble(const std::filesystem::path& path, const text::TokenCorpus& corpus) const {
  const run::TraceTokens tokens = describe_tokens(corpus, n_traced_);
  StateArrays plan;
  run::add_tensors(plan, tokens);
  const std::size_t n_head = plan.size();
  // Tensors of a layer in the order of Array.
  const run::TraceRouting routing{n_traced_, shape_.n_experts_per_token, {}, {}, {}};
  const run::TraceShared shared{n_traced_, {}, {}};
  for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
    run::add_tensors(plan, routing, run::layer_prefix(layer));
    if (shape_.shared(layer)) run::add_tensors(plan, shared, run::layer_prefix(layer));
  }
  io::SafetensorsWriter writer(path, plan);
  for (std::size_t i = 0; i < n_head; ++i) writer.append(plan[i].name, plan[i].bytes);
  if (n_traced_ > 0) {
    const auto mapped = io::MappedFile::open(path_);
    const std::uint64_t n_bytes = offset(shape_.n_layers, kIds, 0);
    if (mapped->bytes().size() != n_bytes) {
      throw input_error("{} has {} bytes, expected {}", path_.string(), mapped->bytes().size(), n_bytes);
    }
    std::size_t next = n_head;
    for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
      for (const Array part : parts()) {
        if (part > kScores && !shape_.shared(layer)) continue;
        const std::uint64_t begin = offset(layer, part, 0), end = offset(layer, part, n_traced_);
        writer.append(plan[next++].name, mapped->bytes().subspan(begin, end - begin));
        mapped->drop(begin, end);
      }
    }
  }
  writer.finish();
}

}  // namespace moescope::record
