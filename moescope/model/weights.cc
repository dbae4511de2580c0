#include "moescope/model/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "moescope/base/error.h"
#include "moescope/model/quantized.h"

namespace moescope::model {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

constexpr std::int64_t kMxfp4Block = 32;

std::int64_t n_elements(const std::vector<std::int64_t>& shape) {
  std::int64_t n = 1;
  for (const std::int64_t size : shape) n *= size;
  return n;
}

std::vector<std::int64_t> mxfp4_shape(std::vector<std::int64_t> shape) {
  shape.back() /= kMxfp4Block;
  shape.push_back(kMxfp4Block / 2);
  return shape;
}

std::vector<std::int64_t> block_counts(const std::vector<std::int64_t>& shape, std::int64_t rows,
                                       std::int64_t columns) {
  return {(shape[0] + rows - 1) / rows, (shape[1] + columns - 1) / columns};
}

// Rows of a stored matrix (or entries of a stored bias) that are one weight.
at::Tensor take_rows(const at::Tensor& stored, const Slice& slice) {
  const std::int64_t n = slice.n_parts;
  switch (slice.rows) {
    case Slice::Rows::kAll: return stored;
    case Slice::Rows::kBlocks: return stored.unflatten(0, {n, -1}).select(0, slice.part);
    case Slice::Rows::kInterleaved: return stored.unflatten(0, {-1, n}).select(1, slice.part);
    case Slice::Rows::kByHead: return stored.unflatten(0, {slice.n_heads, n, -1}).select(1, slice.part).flatten(0, 1);
  }
  return stored;
}

bool stays_float(Role role) {
  return role == Role::kRouter || role == Role::kSelectionBias || role == Role::kSharedRouter;
}

struct BlockSize {
  std::int64_t rows = 0, columns = 0;
};

// quantization_config: mxfp4 says nothing that the tensors do not say; fp8 gives the block's size.
BlockSize read_block_size(const nlohmann::json& config) {
  const nlohmann::json* quantization = find_key(config, "quantization_config");
  if (quantization == nullptr) return {};
  const std::string method = quantization->value("quant_method", "");
  if (method == "mxfp4") return {};
  const nlohmann::json* size = find_key(*quantization, "weight_block_size");
  if (method == "fp8" && size != nullptr && size->is_array() && size->size() == 2 && (*size)[0].is_number_integer() &&
      (*size)[1].is_number_integer() && (*size)[0].get<std::int64_t>() > 0 && (*size)[1].get<std::int64_t>() > 0) {
    return {(*size)[0].get<std::int64_t>(), (*size)[1].get<std::int64_t>()};
  }
  throw input_error("quantization_config {} is not supported, only mxfp4 and fp8 with weight_block_size",
                    quantization->dump());
}

}  // namespace

void for_each_tensor(LayerWeights& layer, const std::function<void(at::Tensor&)>& visit) {
  const auto visit_defined = [&](at::Tensor& tensor) {
    if (tensor.defined()) visit(tensor);
  };
  const auto visit_both = [&](auto& part) {  // Linear, Norm
    visit_defined(part.weight);
    visit_defined(part.bias);
  };
  const auto visit_expert = [&](ExpertWeights& expert) {
    for (Linear* linear : {&expert.gate, &expert.up, &expert.down}) visit_both(*linear);
  };
  AttentionWeights& attention = layer.attention;
  for (Norm* norm : {&layer.attention_norm, &layer.feed_forward_norm, &attention.query_norm, &attention.key_norm,
                     &attention.query_latent_norm, &attention.key_value_latent_norm}) {
    visit_both(*norm);
  }
  for (Linear* linear :
       {&attention.query, &attention.key, &attention.value, &attention.output, &attention.query_down,
        &attention.query_up, &attention.key_value_down, &attention.key_value_up, &layer.router, &layer.shared_router}) {
    visit_both(*linear);
  }
  visit_defined(attention.sinks);
  visit_defined(layer.selection_bias);
  for (ExpertWeights& expert : layer.experts) visit_expert(expert);
  visit_expert(layer.shared);
}

std::vector<at::Tensor> tensors_of(const LayerWeights& layer) {
  std::vector<at::Tensor> all;
  LayerWeights handles = layer;
  for_each_tensor(handles, [&](at::Tensor& tensor) { all.push_back(tensor); });
  return all;
}

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
  try {
    const BlockSize block = read_block_size(io::read_json(folder.config_json));
    checkpoint.block_rows_ = block.rows;
    checkpoint.block_columns_ = block.columns;
  } catch (const Error& error) {
    throw error.at(folder.config_json.string());
  }
  if (folder.weights.empty()) {
    throw input_error("{}: no model.safetensors and no model.safetensors.index.json", folder.folder.string());
  }
  checkpoint.file_ = io::SafetensorsFile::open(folder.weights);
  checkpoint.specs_ = find_family(checkpoint.config_.family).weights(checkpoint.config_, [&](const std::string& name) {
    return checkpoint.file_.contains(name);
  });
  checkpoint.check();
  for (const WeightSpec& spec : checkpoint.specs_) {
    if (spec.role != Role::kTokenEmbedding) continue;
    checkpoint.stored_dtype_ = scalar_type(checkpoint.file_.at(spec.name()).dtype, spec.name());
  }
  return checkpoint;
}

// The tensors that one weight is read from: itself, or its parts where it is stored in fewer bits.
std::vector<std::string> Checkpoint::stored_names(const WeightSpec& spec, std::int64_t layer,
                                                  std::int64_t expert) const {
  const std::string name = spec.name(layer, expert);
  if (spec.encoding == Encoding::kMxfp4) return {name + "_blocks", name + "_scales"};
  if (block_rows_ > 0 && file_.contains(name + "_scale_inv")) return {name, name + "_scale_inv"};
  return {name};
}

void Checkpoint::check_tensor(const WeightSpec& spec, std::int64_t layer, std::int64_t expert) const {
  const std::vector<std::string> names = stored_names(spec, layer, expert);
  std::vector<std::vector<std::int64_t>> shapes = {spec.shape};
  std::vector<io::DType> dtypes;
  if (spec.encoding == Encoding::kMxfp4) {
    const std::vector<std::int64_t> blocks = mxfp4_shape(spec.shape);
    shapes = {blocks, {blocks.begin(), blocks.end() - 1}};
    dtypes = {io::DType::kU8, io::DType::kU8};
  } else if (names.size() == 2) {
    shapes.push_back(block_counts(spec.shape, block_rows_, block_columns_));
    dtypes = {io::DType::kF8E4M3, io::DType::kF32};
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!file_.contains(names[i])) {
      throw input_error("{}: tensor '{}' is missing, expected shape {}", file_.path().string(), names[i],
                        shape_text(shapes[i]));
    }
    const io::TensorView& view = file_.at(names[i]);
    if (view.shape != shapes[i]) {
      throw input_error("{}: tensor '{}' has shape {}, expected {} by config.json", view.file->path().string(),
                        names[i], shape_text(view.shape), shape_text(shapes[i]));
    }
    if (dtypes.empty()) {
      scalar_type(view.dtype, names[i]);
    } else if (view.dtype != dtypes[i]) {
      throw input_error("{}: tensor '{}' is {}, expected {}", view.file->path().string(), names[i],
                        io::dtype_name(view.dtype), io::dtype_name(dtypes[i]));
    }
  }
}

namespace {

// Calls visit(spec, layer, expert) for every tensor that a table stands for, in one layer or (-1) in all and outside.
template <typename Visit>
void for_each_tensor(const std::vector<WeightSpec>& specs, const ModelConfig& config, std::int64_t only_layer,
                     const Visit& visit) {
  for (const WeightSpec& spec : specs) {
    if (!spec.per_layer()) {
      if (only_layer < 0) visit(spec, std::int64_t{0}, std::int64_t{0});
      continue;
    }
    for (std::int64_t layer = 0; layer < config.n_layers; ++layer) {
      if ((only_layer >= 0 && layer != only_layer) || !spec.in_layer(config, layer)) continue;
      const std::int64_t n_experts = spec.per_expert() ? config.n_experts(layer) : 1;
      for (std::int64_t expert = 0; expert < n_experts; ++expert) visit(spec, layer, expert);
    }
  }
}

}  // namespace

void Checkpoint::check() {
  std::set<std::string> known;
  for_each_tensor(specs_, config_, -1, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
    for (const std::string& name : stored_names(spec, layer, expert)) known.insert(name);
    check_tensor(spec, layer, expert);
  });
  std::vector<std::regex> unused;
  for (const std::string& pattern : find_family(config_.family).unused) unused.emplace_back(pattern);
  const std::int64_t n_stored_layers = config_.n_layers + config_.n_further_layers;
  static const std::regex layer_number(R"(model\.layers\.(\d{1,9})\..*)");
  for (const auto& [name, view] : file_.tensors()) {
    if (known.contains(name)) continue;
    std::smatch match;
    const bool further = std::regex_match(name, match, layer_number) && std::stoll(match[1]) >= config_.n_layers &&
                         std::stoll(match[1]) < n_stored_layers;
    // Tied checkpoints may carry the unembedding all the same; transformers ignores it.
    const bool tied = config_.tie_embeddings && (name == "lm_head.weight" || name == "embed_out.weight");
    if (tied) continue;
    if (further || std::any_of(unused.begin(), unused.end(),
                               [&](const std::regex& pattern) { return std::regex_match(name, pattern); })) {
      unused_.push_back(name);
      continue;
    }
    throw input_error("{}: tensor '{}' {} is not part of a {} model with this config.json", view.file->path().string(),
                      name, shape_text(view.shape), config_.family);
  }
}

at::Tensor Checkpoint::mapped(const std::string& name) const {
  const io::TensorView& view = file_.at(name);
  const at::ScalarType type = view.dtype == io::DType::kU8       ? at::kByte
                              : view.dtype == io::DType::kF8E4M3 ? at::kFloat8_e4m3fn
                                                                 : scalar_type(view.dtype, name);
  // from_blob wants a mutable pointer; the mapping is read-only and nothing in this library writes to weights.
  return at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions().dtype(type));
}

at::Tensor Checkpoint::decoded(const WeightSpec& spec, std::int64_t layer, std::int64_t expert) const {
  const std::vector<std::string> names = stored_names(spec, layer, expert);
  const auto part = [&](std::size_t i) {
    const at::Tensor tensor = mapped(names[i]);
    return spec.slice.stacked ? tensor.select(0, expert) : tensor;
  };
  if (spec.encoding == Encoding::kMxfp4) return decode_mxfp4(part(0), part(1));
  if (names.size() == 2) return decode_blocks(part(0), part(1), block_rows_, block_columns_);
  return part(0);
}

at::Tensor Checkpoint::take(Role role, Part part, std::int64_t layer, std::int64_t expert, at::ScalarType dtype,
                            at::Device device) const {
  for (const WeightSpec& spec : specs_) {
    if (spec.role != role || spec.part != part || !spec.in_layer(config_, layer)) continue;
    at::Tensor stored = decoded(spec, layer, expert);
    if (spec.slice.transposed && stored.dim() == 2) stored = stored.t();
    const at::Tensor rows = take_rows(stored, spec.slice);
    return rows.to(device, stays_float(role) ? at::kFloat : dtype).contiguous();
  }
  return {};
}

LayerWeights Checkpoint::layer(std::int64_t layer_idx, at::ScalarType dtype, at::Device device) const {
  const auto get = [&](Role role, Part part, std::int64_t expert) {
    return take(role, part, layer_idx, expert, dtype, device);
  };
  const auto linear = [&](Role role, std::int64_t expert = 0) {
    return Linear{get(role, Part::kWeight, expert), get(role, Part::kBias, expert)};
  };
  const auto norm = [&](Role role) { return Norm{get(role, Part::kWeight, 0), get(role, Part::kBias, 0)}; };
  LayerWeights weights;
  weights.attention_norm = norm(Role::kAttentionNorm);
  weights.feed_forward_norm = norm(Role::kFeedForwardNorm);
  AttentionWeights& attention = weights.attention;
  attention.query = linear(Role::kQuery);
  attention.key = linear(Role::kKey);
  attention.value = linear(Role::kValue);
  attention.output = linear(Role::kAttentionOutput);
  attention.query_norm = norm(Role::kQueryNorm);
  attention.key_norm = norm(Role::kKeyNorm);
  attention.sinks = get(Role::kSinks, Part::kWeight, 0);
  attention.query_down = linear(Role::kQueryDown);
  attention.query_up = linear(Role::kQueryUp);
  attention.key_value_down = linear(Role::kKeyValueDown);
  attention.key_value_up = linear(Role::kKeyValueUp);
  attention.query_latent_norm = norm(Role::kQueryLatentNorm);
  attention.key_value_latent_norm = norm(Role::kKeyValueLatentNorm);
  for (std::int64_t expert = 0; expert < config_.n_experts(layer_idx); ++expert) {
    weights.experts.push_back(
        {linear(Role::kExpertGate, expert), linear(Role::kExpertUp, expert), linear(Role::kExpertDown, expert)});
  }
  if (config_.is_dense(layer_idx)) return weights;
  weights.router = linear(Role::kRouter);
  weights.selection_bias = get(Role::kSelectionBias, Part::kWeight, 0);
  weights.shared = {linear(Role::kSharedGate), linear(Role::kSharedUp), linear(Role::kSharedDown)};
  weights.shared_router = linear(Role::kSharedRouter);
  return weights;
}

EmbeddingWeights Checkpoint::embeddings(at::ScalarType dtype, at::Device device) const {
  const auto get = [&](Role role, Part part = Part::kWeight) { return take(role, part, 0, 0, dtype, device); };
  EmbeddingWeights weights;
  weights.token_embedding = get(Role::kTokenEmbedding);
  weights.position_embedding = get(Role::kPositionEmbedding);
  weights.final_norm = {get(Role::kFinalNorm), get(Role::kFinalNorm, Part::kBias)};
  weights.unembedding = config_.tie_embeddings ? weights.token_embedding : get(Role::kUnembedding);
  weights.unembedding_bias = get(Role::kUnembedding, Part::kBias);
  return weights;
}

std::uint64_t Checkpoint::layer_bytes() const {
  std::uint64_t most = 0;
  for (std::int64_t l = 0; l < config_.n_layers; ++l) {
    std::uint64_t n_bytes = 0;
    for_each_stored(l, [&](const io::TensorView& view) { n_bytes += view.bytes.size(); });
    most = std::max(most, n_bytes);
  }
  return most;
}

std::uint64_t Checkpoint::layer_bytes(at::ScalarType dtype) const {
  std::uint64_t most = 0;
  for (std::int64_t l = 0; l < config_.n_layers; ++l) {
    std::uint64_t n = 0;
    std::set<std::string> seen;
    for_each_tensor(specs_, config_, l, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
      if (seen.insert(spec.name(layer, expert)).second) n += static_cast<std::uint64_t>(n_elements(spec.shape));
    });
    most = std::max(most, n * at::elementSize(dtype));
  }
  return most;
}

// Each stored tensor of a layer once, whatever number of weights it holds.
template <typename Visit>
void Checkpoint::for_each_stored(std::int64_t layer_idx, const Visit& visit) const {
  std::set<std::string> seen;
  for_each_tensor(specs_, config_, layer_idx, [&](const WeightSpec& spec, std::int64_t layer, std::int64_t expert) {
    for (const std::string& name : stored_names(spec, layer, expert)) {
      if (seen.insert(name).second) visit(file_.at(name));
    }
  });
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
  for_each_stored(layer_idx, [](const io::TensorView& view) {
    view.file->will_need(range_in_file(view).begin, range_in_file(view).end);
  });
}

void Checkpoint::drop_layer(std::int64_t layer_idx) const {
  for_each_stored(layer_idx, [](const io::TensorView& view) {
    view.file->drop(range_in_file(view).begin, range_in_file(view).end);
  });
}

}  // namespace moescope::model
