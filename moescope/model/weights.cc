#include "moescope/model/weights.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// Calls visit(spec, layer, expert) for every tensor that a table stands for.
template <typename Visit>
void for_each_tensor(const std::vector<WeightSpec>& specs, const ModelConfig& config, const Visit& visit) {
  for (const WeightSpec& spec : specs) {
    const std::int64_t n_layers = spec.per_layer() ? config.n_layers : 1;
    const std::int64_t n_experts = spec.per_expert() ? config.router.n_experts : 1;
    for (std::int64_t layer = 0; layer < n_layers; ++layer) {
      for (std::int64_t expert = 0; expert < n_experts; ++expert) visit(spec, layer, expert);
    }
  }
}

}  // namespace

at::ScalarType scalar_type(io::DType dtype, const std::string& tensor_name) {
  switch (dtype) {
    case io::DType::kF32: return at::kFloat;
    case io::DType::kF16: return at::kHalf;
    case io::DType::kBF16: return at::kBFloat16;
    default:
      throw input_error("tensor '{}' is {}, expected F32, F16 or BF16 weights", tensor_name, io::dtype_name(dtype));
  }
}

io::DType storage_dtype(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return io::DType::kF32;
    case at::kHalf: return io::DType::kF16;
    case at::kBFloat16: return io::DType::kBF16;
    case at::kDouble: return io::DType::kF64;
    case at::kInt: return io::DType::kI32;
    case at::kLong: return io::DType::kI64;
    case at::kByte: return io::DType::kU8;
    case at::kBool: return io::DType::kBool;
    default: throw input_error("a tensor of type {} cannot be stored", at::toString(type));
  }
}

ModelConfig read_config(const io::CheckpointFolder& folder) {
  const nlohmann::json json = io::read_json(folder.config_json);
  try {
    return parse_config(json);
  } catch (const Error& error) {
    throw error.at(folder.config_json.string());
  }
}

Checkpoint Checkpoint::open(const io::CheckpointFolder& folder) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder;
  checkpoint.config_ = read_config(folder);
  if (folder.weights.empty()) {
    throw input_error("{}: no model.safetensors and no model.safetensors.index.json", folder.folder.string());
  }
  checkpoint.specs_ = find_family(checkpoint.config_.family).weights(checkpoint.config_);
  checkpoint.file_ = io::SafetensorsFile::open(folder.weights);
  checkpoint.check();
  const std::string first = checkpoint.find(Role::kTokenEmbedding)->name();
  checkpoint.stored_dtype_ = scalar_type(checkpoint.file_.at(first).dtype, first);
  return checkpoint;
}

void Checkpoint::check() const {
  std::set<std::string> known;
  for_each_tensor(specs_, config_, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
    const std::string name = spec.name(layer, expert);
    known.insert(name);
    if (!file_.contains(name)) {
      throw input_error("{}: tensor '{}' is missing, expected shape {}", file_.path().string(), name,
                        shape_text(spec.shape));
    }
    const io::TensorView& view = file_.at(name);
    if (view.shape != spec.shape) {
      throw input_error("{}: tensor '{}' has shape {}, expected {} by config.json", view.file->path().string(), name,
                        shape_text(view.shape), shape_text(spec.shape));
    }
    scalar_type(view.dtype, name);
  });
  // Tied checkpoints may carry the unembedding all the same; it must not say something else (transformers ignores it).
  for (const auto& [name, view] : file_.tensors()) {
    if (known.contains(name) || (config_.tie_embeddings && name == "lm_head.weight")) continue;
    throw input_error("{}: tensor '{}' {} is not part of a {} model with this config.json", view.file->path().string(),
                      name, shape_text(view.shape), config_.family);
  }
}

const WeightSpec* Checkpoint::find(Role role) const {
  for (const WeightSpec& spec : specs_) {
    if (spec.role == role) return &spec;
  }
  return nullptr;
}

at::Tensor Checkpoint::tensor(const std::string& name, at::ScalarType dtype, at::Device device) const {
  const io::TensorView& view = file_.at(name);
  // from_blob wants a mutable pointer; the mapping is read-only and nothing in this library writes to weights.
  at::Tensor mapped = at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape,
                                    at::TensorOptions().dtype(scalar_type(view.dtype, name)));
  return mapped.to(device, dtype);
}

at::Tensor Checkpoint::take(Role role, std::int64_t layer, std::int64_t expert, at::ScalarType dtype,
                            at::Device device) const {
  const WeightSpec* spec = find(role);
  return spec == nullptr ? at::Tensor() : tensor(spec->name(layer, expert), dtype, device);
}

LayerWeights Checkpoint::layer(std::int64_t layer_idx, at::ScalarType dtype, at::Device device) const {
  const auto get = [&](Role role, std::int64_t expert = 0) { return take(role, layer_idx, expert, dtype, device); };
  LayerWeights weights;
  weights.input_norm = get(Role::kInputNorm);
  weights.post_attention_norm = get(Role::kPostAttentionNorm);
  weights.attention = {get(Role::kQuery),           get(Role::kKey),       get(Role::kValue),
                       get(Role::kAttentionOutput), get(Role::kQueryNorm), get(Role::kKeyNorm)};
  weights.router = get(Role::kRouter);
  for (std::int64_t expert = 0; expert < config_.router.n_experts; ++expert) {
    weights.experts.push_back(
        {get(Role::kExpertGate, expert), get(Role::kExpertUp, expert), get(Role::kExpertDown, expert)});
  }
  return weights;
}

EmbeddingWeights Checkpoint::embeddings(at::ScalarType dtype, at::Device device) const {
  EmbeddingWeights weights;
  weights.token_embedding = take(Role::kTokenEmbedding, 0, 0, dtype, device);
  weights.final_norm = take(Role::kFinalNorm, 0, 0, dtype, device);
  weights.unembedding =
      config_.tie_embeddings ? weights.token_embedding : take(Role::kUnembedding, 0, 0, dtype, device);
  return weights;
}

std::uint64_t Checkpoint::layer_bytes() const {
  std::uint64_t n_bytes = 0;
  for_each_tensor(specs_, config_, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
    if (spec.per_layer() && layer == 0) n_bytes += file_.at(spec.name(layer, expert)).bytes.size();
  });
  return n_bytes;
}

namespace {

struct ByteRange {
  std::size_t begin, end;
};

ByteRange range_in_file(const io::TensorView& view) {
  const auto begin = static_cast<std::size_t>(view.bytes.data() - view.file->bytes().data());
  return {begin, begin + view.bytes.size()};
}

}  // namespace

void Checkpoint::will_need_layer(std::int64_t layer_idx) const {
  for_each_tensor(specs_, config_, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
    if (!spec.per_layer() || layer != layer_idx) return;
    const io::TensorView& view = file_.at(spec.name(layer, expert));
    view.file->will_need(range_in_file(view).begin, range_in_file(view).end);
  });
}

void Checkpoint::drop_layer(std::int64_t layer_idx) const {
  for_each_tensor(specs_, config_, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
    if (!spec.per_layer() || layer != layer_idx) return;
    const io::TensorView& view = file_.at(spec.name(layer, expert));
    view.file->drop(range_in_file(view).begin, range_in_file(view).end);
  });
}

}  // namespace moescope::model
