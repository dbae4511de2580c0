// OLMoE (Muennighoff et al. 2024, arXiv 2409.02060): pre-norm decoder, one RMSNorm over all queries and one over all
// keys, rotary positions, every feed-forward layer a mixture of SwiGLU experts, softmax before top-k.
// Reference: transformers' modeling_olmoe.py.
#include "moescope/base/error.h"
#include "moescope/model/family.h"

namespace moescope::model {
namespace {

// transformers 5 writes {"rope_parameters": {"rope_theta", "rope_type"}}, releases before it "rope_theta" at top level.
RopeConfig parse_rope(const nlohmann::json& config) {
  RopeConfig rope;
  rope.theta = optional_real(config, "rope_theta", rope.theta);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null()) continue;
    if (!found->is_object()) throw input_error("key '{}' is {}, expected an object", key, found->dump());
    require_value(*found, "rope_type", "default");
    const double theta = optional_real(*found, "rope_theta", rope.theta);
    if (config.contains("rope_theta") && theta != rope.theta) {
      throw input_error("rope_theta is {} at top level and {} in {}", rope.theta, theta, key);
    }
    rope.theta = theta;
  }
  return rope;
}

ModelConfig parse_olmoe(const nlohmann::json& config) {
  require_value(config, "hidden_act", "silu");
  require_value(config, "attention_bias", false);
  ModelConfig parsed;
  parsed.d_model = required_int(config, "hidden_size");
  parsed.d_expert = required_int(config, "intermediate_size");
  parsed.d_vocab = required_int(config, "vocab_size");
  parsed.n_layers = required_int(config, "num_hidden_layers");
  parsed.n_ctx = optional_int(config, "max_position_embeddings", 4096);
  parsed.norm_eps = optional_real(config, "rms_norm_eps", 1e-5);
  parsed.tie_embeddings = optional_bool(config, "tie_word_embeddings", false);
  parsed.attention.n_heads = required_int(config, "num_attention_heads");
  parsed.attention.n_kv_heads = optional_int(config, "num_key_value_heads", parsed.attention.n_heads);
  if (parsed.attention.n_heads < 1 || parsed.d_model % parsed.attention.n_heads != 0) {
    throw input_error("hidden_size {} is not a multiple of num_attention_heads {}", parsed.d_model,
                      parsed.attention.n_heads);
  }
  parsed.attention.d_head = parsed.d_model / parsed.attention.n_heads;
  require_value(config, "head_dim", parsed.attention.d_head);
  parsed.attention.qk_norm = QkNorm::kWhole;
  if (config.contains("clip_qkv") && !config["clip_qkv"].is_null()) {
    parsed.attention.clip_qkv = optional_real(config, "clip_qkv", 0);
  }
  parsed.attention.rope = parse_rope(config);
  parsed.router.n_experts = optional_int(config, "num_experts", 64);
  require_value(config, "num_local_experts", parsed.router.n_experts);
  parsed.router.n_experts_per_token = optional_int(config, "num_experts_per_tok", 8);
  parsed.router.renormalize = optional_bool(config, "norm_topk_prob", false);
  return parsed;
}

std::vector<WeightSpec> olmoe_weights(const ModelConfig& config) {
  const std::int64_t d_model = config.d_model;
  const std::int64_t d_query = config.attention.n_heads * config.attention.d_head;
  const std::int64_t d_key = config.attention.n_kv_heads * config.attention.d_head;
  const std::string layer = "model.layers.{l}.";
  const std::string expert = layer + "mlp.experts.{e}.";
  std::vector<WeightSpec> specs = {
      {Role::kTokenEmbedding, "model.embed_tokens.weight", {config.d_vocab, d_model}},
      {Role::kFinalNorm, "model.norm.weight", {d_model}},
      {Role::kInputNorm, layer + "input_layernorm.weight", {d_model}},
      {Role::kPostAttentionNorm, layer + "post_attention_layernorm.weight", {d_model}},
      {Role::kQuery, layer + "self_attn.q_proj.weight", {d_query, d_model}},
      {Role::kKey, layer + "self_attn.k_proj.weight", {d_key, d_model}},
      {Role::kValue, layer + "self_attn.v_proj.weight", {d_key, d_model}},
      {Role::kAttentionOutput, layer + "self_attn.o_proj.weight", {d_model, d_query}},
      {Role::kQueryNorm, layer + "self_attn.q_norm.weight", {d_query}},
      {Role::kKeyNorm, layer + "self_attn.k_norm.weight", {d_key}},
      {Role::kRouter, layer + "mlp.gate.weight", {config.router.n_experts, d_model}},
      {Role::kExpertGate, expert + "gate_proj.weight", {config.d_expert, d_model}},
      {Role::kExpertUp, expert + "up_proj.weight", {config.d_expert, d_model}},
      {Role::kExpertDown, expert + "down_proj.weight", {d_model, config.d_expert}},
  };
  if (!config.tie_embeddings) specs.push_back({Role::kUnembedding, "lm_head.weight", {config.d_vocab, d_model}});
  return specs;
}

nlohmann::json write_olmoe_config(const ModelConfig& config) {
  nlohmann::json json = {
      {"architectures", {"OlmoeForCausalLM"}},
      {"attention_bias", false},
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

const Family kOlmoe = {"olmoe", parse_olmoe, olmoe_weights, write_olmoe_config};

}  // namespace moescope::model
