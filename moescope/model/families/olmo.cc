// OLMo (arXiv 2402.00838): LayerNorm without parameters, clipped queries, keys and values. OLMo 2 (arXiv 2501.00656):
// norms behind attention and feed-forward, one norm over all queries and one over all keys.
// Reference: transformers' modeling_olmo.py and modeling_olmo2.py.
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_shared(const nlohmann::json& config, const DecoderDefaults& defaults) {
  ModelConfig parsed = parse_decoder(config, defaults);
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  make_dense(parsed, required_int(config, "intermediate_size"));
  return parsed;
}

ModelConfig parse_olmo(const nlohmann::json& config) {
  ModelConfig parsed = parse_shared(config, {});
  parsed.norm = NormKind::kLayerNorm;
  parsed.norm_eps = 1e-5;  // not configurable in this family
  if (find_key(config, "clip_qkv") != nullptr) parsed.attention.clip_qkv = optional_real(config, "clip_qkv", 0);
  return parsed;
}

ModelConfig parse_olmo2(const nlohmann::json& config) {
  ModelConfig parsed = parse_shared(config, {.norm_eps = 1e-5});
  parsed.norm = NormKind::kRmsRoundedLater;
  parsed.order = LayerOrder::kPostNorm;
  parsed.attention.qk_norm = QkNorm::kWhole;
  return parsed;
}

std::vector<WeightSpec> olmo_weights(const ModelConfig& config, const HasTensor&) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  std::erase_if(specs, [](const WeightSpec& spec) { return spec.role == Role::kFinalNorm; });
  add_dense_layers(specs, config);
  return specs;
}

std::vector<WeightSpec> olmo2_weights(const ModelConfig& config, const HasTensor&) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  const std::string layer = "model.layers.{l}.";
  specs.push_back({Role::kAttentionNorm, layer + "post_attention_layernorm.weight", {config.d_model}});
  specs.push_back({Role::kFeedForwardNorm, layer + "post_feedforward_layernorm.weight", {config.d_model}});
  add_dense_layers(specs, config);
  return specs;
}

}  // namespace

const Family kOlmo = {"olmo", parse_olmo, olmo_weights, rotary_buffers()};
const Family kOlmo2 = {"olmo2", parse_olmo2, olmo2_weights};

}  // namespace moescope::model
