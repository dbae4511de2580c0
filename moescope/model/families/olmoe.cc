// OLMoE (Muennighoff et al. 2024, arXiv 2409.02060): pre-norm decoder, one RMSNorm over all queries and one over all
// keys, rotary positions, every feed-forward layer a mixture of SwiGLU experts, softmax before top-k.
// Reference: transformers' modeling_olmoe.py.
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_olmoe(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {.n_ctx = 4096, .norm_eps = 1e-5});
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  parsed.d_expert = required_int(config, "intermediate_size");
  parsed.attention.qk_norm = QkNorm::kWhole;
  if (find_key(config, "clip_qkv") != nullptr) parsed.attention.clip_qkv = optional_real(config, "clip_qkv", 0);
  parsed.router.n_experts = optional_int(config, "num_experts", 64);
  require_value(config, "num_local_experts", parsed.router.n_experts);
  parsed.router.n_experts_per_token = optional_int(config, "num_experts_per_tok", 8);
  parsed.router.renormalize = optional_bool(config, "norm_topk_prob", false);
  return parsed;
}

std::vector<WeightSpec> olmoe_weights(const ModelConfig& config, const HasTensor& has) {
  const std::string mlp = "model.layers.{l}.mlp.";
  std::vector<WeightSpec> specs = decoder_weights(config);
  add_layer_norms(specs, config);
  specs.push_back({Role::kRouter, mlp + "gate.weight", {config.router.n_experts, config.d_model}});
  add_experts(specs, config, mlp + "experts.", has);
  return specs;
}

nlohmann::json write_olmoe_config(const ModelConfig& config) {
  nlohmann::json json = {
      {"architectures", {"OlmoeForCausalLM"}},
      {"attention_bias", config.biases.attention},
      {"attention_dropout", 0.0},
      {"clip_qkv", nullptr},
      {"hidden_act", "silu"},
      {"hidden_size", config.d_model},
      {"initializer_range", 0.02},
      {"intermediate_size", config.d_expert},
      {"max_position_embeddings", config.n_ctx},
      {"model_type", "olmoe"},
      {"norm_topk_prob", config.router.renormalize},
      {"num_attention_heads", config.attention.n_heads},
      {"num_experts", config.router.n_experts},
      {"num_experts_per_tok", config.router.n_experts_per_token},
      {"num_hidden_layers", config.n_layers},
      {"num_key_value_heads", config.attention.n_kv_heads},
      {"rms_norm_eps", config.norm_eps},
      {"rope_theta", config.attention.rope.theta},
      {"tie_word_embeddings", config.tie_embeddings},
      {"use_cache", true},
      {"vocab_size", config.d_vocab},
      {"bos_token_id", nullptr},
      {"pad_token_id", nullptr},
      {"eos_token_id", nullptr},
  };
  if (config.attention.clip_qkv) json["clip_qkv"] = *config.attention.clip_qkv;
  if (config.eos_token_ids.size() == 1) json["eos_token_id"] = config.eos_token_ids.front();
  if (config.eos_token_ids.size() > 1) json["eos_token_id"] = config.eos_token_ids;
  return json;
}

}  // namespace

const Family kOlmoe = {"olmoe", parse_olmoe, olmoe_weights, {}, write_olmoe_config};

}  // namespace moescope::model
