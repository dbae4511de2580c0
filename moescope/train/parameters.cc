#include "moescope/train/parameters.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "moescope/base/error.h"

namespace moescope::train {
namespace {

using model::Role;

bool is_norm(Role role) {
  return role == Role::kFinalNorm || role == Role::kAttentionNorm || role == Role::kFeedForwardNorm ||
         role == Role::kQueryNorm || role == Role::kKeyNorm;
}

// Matrices that write to the residual stream start smaller by the number of them, so that the stream's size at the
// start does not depend on depth (GPT-2, section 2.3).
double initial_std(Role role, const model::ModelConfig& config, const ModelSettings& settings) {
  if (role == Role::kRouter) return settings.router_init_std;
  const bool writes_to_residual = role == Role::kAttentionOutput || role == Role::kExpertDown;
  return writes_to_residual ? settings.init_std / std::sqrt(2.0 * static_cast<double>(config.n_layers))
                            : settings.init_std;
}

// Models trained here have the parts of OLMoE; a family with others would need them here, and in initial_std.
Error not_trained(const Parameter& parameter) {
  return input_error("'{}' is a part that cannot be trained here", parameter.name);
}

}  // namespace

Parameters Parameters::make(const model::ModelConfig& config) {
  Parameters parameters;
  parameters.config_ = config;
  for (const model::WeightSpec& spec : model::find_family(config.family).weights(config, model::no_names)) {
    const std::int64_t n_layers = spec.per_layer() ? config.n_layers : 1;
    for (std::int64_t l = 0; l < n_layers; ++l) {
      std::vector<std::int64_t> shape = spec.shape;
      if (spec.per_expert()) shape.insert(shape.begin(), config.router.n_experts);
      std::string name = spec.pattern;
      if (const auto at = name.find("{l}"); at != std::string::npos) name.replace(at, 3, std::to_string(l));
      parameters.parameters_.push_back(
          {spec.role, spec.per_layer() ? l : -1, name, at::zeros(shape, at::TensorOptions().dtype(at::kFloat))});
    }
  }
  return parameters;
}

Parameters Parameters::init(const model::ModelConfig& config, const ModelSettings& settings, std::int64_t seed,
                            at::Device device) {
  Parameters parameters = make(config);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed));
  for (Parameter& parameter : parameters.parameters_) {
    if (is_norm(parameter.role)) {
      parameter.value.fill_(1.0);
    } else {
      parameter.value.normal_(0.0, initial_std(parameter.role, config, settings), generator);
    }
    parameter.value = parameter.value.to(device).requires_grad_(true);
  }
  return parameters;
}

Parameters Parameters::load(const model::Checkpoint& checkpoint, at::Device device) {
  Parameters parameters = make(checkpoint.config());
  const model::LanguageModel source(checkpoint, at::kFloat, at::kCPU);
  for (Parameter& parameter : parameters.parameters_) {
    const model::LayerWeights* layer =
        parameter.layer < 0 ? nullptr : &source.layers()[static_cast<std::size_t>(parameter.layer)];
    const auto stack = [&](model::Linear model::ExpertWeights::*member) {
      std::vector<at::Tensor> experts;
      for (const model::ExpertWeights& expert : layer->experts) experts.push_back((expert.*member).weight);
      return at::stack(experts);
    };
    const auto value = [&]() -> at::Tensor {
      switch (parameter.role) {
        case Role::kTokenEmbedding: return source.embeddings().token_embedding;
        case Role::kFinalNorm: return source.embeddings().final_norm.weight;
        case Role::kUnembedding: return source.embeddings().unembedding;
        case Role::kAttentionNorm: return layer->attention_norm.weight;
        case Role::kFeedForwardNorm: return layer->feed_forward_norm.weight;
        case Role::kQuery: return layer->attention.query.weight;
        case Role::kKey: return layer->attention.key.weight;
        case Role::kValue: return layer->attention.value.weight;
        case Role::kAttentionOutput: return layer->attention.output.weight;
        case Role::kQueryNorm: return layer->attention.query_norm.weight;
        case Role::kKeyNorm: return layer->attention.key_norm.weight;
        case Role::kRouter: return layer->router.weight;
        case Role::kExpertGate: return stack(&model::ExpertWeights::gate);
        case Role::kExpertUp: return stack(&model::ExpertWeights::up);
        case Role::kExpertDown: return stack(&model::ExpertWeights::down);
        default: throw not_trained(parameter);
      }
    }();
    parameter.value = value.to(device, at::kFloat, /*non_blocking=*/false, /*copy=*/true).requires_grad_(true);
  }
  return parameters;
}

model::LanguageModel Parameters::as_model(at::ScalarType dtype) const {
  model::EmbeddingWeights embeddings;
  std::vector<model::LayerWeights> layers(static_cast<std::size_t>(config_.n_layers));
  for (model::LayerWeights& layer : layers) layer.experts.resize(static_cast<std::size_t>(config_.router.n_experts));
  for (const Parameter& parameter : parameters_) {
    const at::Tensor value = parameter.value.to(dtype);
    model::LayerWeights* layer = parameter.layer < 0 ? nullptr : &layers[static_cast<std::size_t>(parameter.layer)];
    const auto unstack = [&](model::Linear model::ExpertWeights::*member) {
      const std::vector<at::Tensor> slices = value.unbind(0);
      for (std::size_t e = 0; e < slices.size(); ++e) (layer->experts[e].*member).weight = slices[e];
    };
    switch (parameter.role) {
      case Role::kTokenEmbedding: embeddings.token_embedding = value; break;
      case Role::kFinalNorm: embeddings.final_norm.weight = value; break;
      case Role::kUnembedding: embeddings.unembedding = value; break;
      case Role::kAttentionNorm: layer->attention_norm.weight = value; break;
      case Role::kFeedForwardNorm: layer->feed_forward_norm.weight = value; break;
      case Role::kQuery: layer->attention.query.weight = value; break;
      case Role::kKey: layer->attention.key.weight = value; break;
      case Role::kValue: layer->attention.value.weight = value; break;
      case Role::kAttentionOutput: layer->attention.output.weight = value; break;
      case Role::kQueryNorm: layer->attention.query_norm.weight = value; break;
      case Role::kKeyNorm: layer->attention.key_norm.weight = value; break;
      case Role::kRouter: layer->router.weight = value; break;
      case Role::kExpertGate: unstack(&model::ExpertWeights::gate); break;
      case Role::kExpertUp: unstack(&model::ExpertWeights::up); break;
      case Role::kExpertDown: unstack(&model::ExpertWeights::down); break;
      default: throw not_trained(parameter);
    }
  }
  if (config_.tie_embeddings) embeddings.unembedding = embeddings.token_embedding;
  return model::LanguageModel(config_, std::move(embeddings), std::move(layers));
}

void Parameters::save(const std::filesystem::path& file, at::ScalarType dtype) const {
  std::vector<at::Tensor> kept;
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters_) {
    const at::Tensor value = parameter.value.detach().to(at::kCPU, dtype).contiguous();
    const auto at_expert = parameter.name.find("{e}");
    if (at_expert == std::string::npos) {
      kept.push_back(value);
      names.push_back(parameter.name);
      continue;
    }
    for (std::int64_t e = 0; e < value.size(0); ++e) {
      kept.push_back(value[e]);
      names.push_back(std::string(parameter.name).replace(at_expert, 3, std::to_string(e)));
    }
  }
  std::vector<io::TensorToWrite> tensors;
  for (std::size_t i = 0; i < kept.size(); ++i) tensors.push_back(tensor_to_write(names[i], kept[i]));
  io::write_safetensors(file, tensors, {{"format", "pt"}});
}

io::TensorToWrite tensor_to_write(const std::string& name, const at::Tensor& tensor) {
  MOESCOPE_ASSERT(tensor.is_contiguous() && tensor.is_cpu());
  return {name,
          model::storage_dtype(tensor.scalar_type()),
          tensor.sizes().vec(),
          {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()}};
}

}  // namespace moescope::train
