#include "moescope/record/trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace moescope::record {

TraceFile::TraceFile(std::filesystem::path path, const RecordShape& shape, std::int64_t n_traced)
    : path_(std::move(path)), shape_(shape), n_traced_(n_traced) {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor_ < 0) throw environment_error("cannot write {}: {}", path_.string(), std::strerror(errno));
}

TraceFile::~TraceFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t TraceFile::offset(std::int64_t layer, Part part, std::int64_t token) const {
  const std::int64_t n_rows = (layer * 3 + part) * n_traced_ + token;
  return static_cast<std::uint64_t>(n_rows * shape_.n_experts_per_token) * sizeof(float);
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
  for (std::size_t i = 0; i < n; ++i) {
    std::copy_n(ids.const_data_ptr<std::int32_t>() + i * used, used, ids_.begin() + static_cast<std::ptrdiff_t>(i * k));
    std::copy_n(weights.const_data_ptr<float>() + i * used, used,
                weights_.begin() + static_cast<std::ptrdiff_t>(i * k));
  }
}

void TraceFile::on_expert(const ExpertBatch& expert) {
  const auto k = static_cast<std::size_t>(shape_.n_experts_per_token);
  const auto used = static_cast<std::size_t>(shape_.n_per_token_in(expert.layer_idx));
  for (std::size_t i = 0; i < expert.slots.size(); ++i) {
    const auto slot = static_cast<std::size_t>(expert.slots[i]);
    scores_[slot / used * k + slot % used] = expert.scores[i];
  }
}

void TraceFile::on_layer_end(const engine::LayerView& view) {
  const std::vector<std::int64_t>& token_idx = view.batch.token_idx;
  const auto k = static_cast<std::size_t>(shape_.n_experts_per_token);
  for (std::size_t begin = 0, end = 0; begin < token_idx.size(); begin = end) {
    end = begin + 1;
    if (token_idx[begin] >= n_traced_) continue;
    while (end < token_idx.size() && token_idx[end] == token_idx[end - 1] + 1 && token_idx[end] < n_traced_) ++end;
    const std::size_t first = begin * k, count = (end - begin) * k;
    write_at(offset(view.layer_idx, kIds, token_idx[begin]), std::as_bytes(std::span(ids_.data() + first, count)));
    write_at(offset(view.layer_idx, kWeights, token_idx[begin]),
             std::as_bytes(std::span(weights_.data() + first, count)));
    write_at(offset(view.layer_idx, kScores, token_idx[begin]),
             std::as_bytes(std::span(scores_.data() + first, count)));
  }
}

void TraceFile::merge(const std::filesystem::path& other, TokenRange tokens) {
  tokens.end = std::min(tokens.end, n_traced_);
  if (tokens.begin >= tokens.end) return;
  const auto mapped = io::MappedFile::open(other);
  for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
    for (const Part part : {kIds, kWeights, kScores}) {
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

struct Head {
  std::vector<std::int32_t> token_ids, doc_idx, position, context_position;
};

Head describe_tokens(const text::TokenCorpus& corpus, std::int64_t n_traced) {
  Head head;
  for (const text::Sequence& sequence : corpus.sequences) {
    for (std::int32_t i = 0; i < sequence.n_tokens && sequence.first_token + i < n_traced; ++i) {
      head.token_ids.push_back(corpus.token_ids[static_cast<std::size_t>(sequence.first_token + i)]);
      head.doc_idx.push_back(sequence.doc_idx);
      head.position.push_back(sequence.position + i);
      head.context_position.push_back(i);
    }
  }
  return head;
}

}  // namespace

void TraceFile::assemble(const std::filesystem::path& path, const text::TokenCorpus& corpus) const {
  const Head head = describe_tokens(corpus, n_traced_);
  const auto n = static_cast<std::size_t>(n_traced_);
  const std::span begins(corpus.byte_begin.data(), n), ends(corpus.byte_end.data(), n);
  StateArrays small = {io::tensor_to_write("token_ids", {n_traced_}, head.token_ids),
                       io::tensor_to_write("doc_idx", {n_traced_}, head.doc_idx),
                       io::tensor_to_write("position", {n_traced_}, head.position),
                       io::tensor_to_write("context_position", {n_traced_}, head.context_position),
                       io::tensor_to_write("byte_begin", {n_traced_}, begins),
                       io::tensor_to_write("byte_end", {n_traced_}, ends)};
  StateArrays plan = small;
  const std::array<const char*, 3> names = {"expert_ids", "weights", "scores"};
  for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
    for (const Part part : {kIds, kWeights, kScores}) {
      plan.push_back({fmt::format("layers.{}.{}", layer, names[part]),
                      part == kIds ? io::DType::kI32 : io::DType::kF32,
                      {n_traced_, shape_.n_experts_per_token},
                      {}});
    }
  }
  io::SafetensorsWriter writer(path, plan);
  for (const io::TensorToWrite& tensor : small) writer.append(tensor.name, tensor.bytes);
  if (n_traced_ > 0) {
    const auto mapped = io::MappedFile::open(path_);
    const auto n_bytes = static_cast<std::size_t>(offset(0, kWeights, 0));  // of one tensor
    if (mapped->bytes().size() != n_bytes * 3 * static_cast<std::size_t>(shape_.n_layers)) {
      throw input_error("{} has {} bytes, expected {}", path_.string(), mapped->bytes().size(),
                        n_bytes * 3 * static_cast<std::size_t>(shape_.n_layers));
    }
    for (std::int64_t layer = 0; layer < shape_.n_layers; ++layer) {
      for (const Part part : {kIds, kWeights, kScores}) {
        const auto begin = static_cast<std::size_t>(offset(layer, part, 0));
        writer.append(fmt::format("layers.{}.{}", layer, names[part]), mapped->bytes().subspan(begin, n_bytes));
        mapped->drop(begin, begin + n_bytes);
      }
    }
  }
  writer.finish();
}

}  // namespace moescope::record
