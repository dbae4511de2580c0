// DeepSeek-V2 (arXiv 2405.04434), DeepSeek-V3 (arXiv 2412.19437, also Moonlight and Kimi-style checkpoints of this
// model_type), GLM-4.5 (glm4_moe) and GLM-4.7-Flash (glm4_moe_lite): fine-grained experts beside shared ones, dense
// first layers, experts chosen by groups; latent attention in all but glm4_moe; sigmoid scores with a bias that only
// chooses in all but V2. Reference: transformers' modeling_deepseek_v2.py, _deepseek_v3.py, _glm4_moe.py,
// _glm4_moe_lite.py.
#include <cmath>

#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

const std::string kMlp = "model.layers.{l}.mlp.";

void parse_latent(const nlohmann::json& config, const DecoderDefaults& defaults, bool interleaved,
                  ModelConfig& parsed) {
  LatentConfig latent;
  latent.q_rank = optional_int(config, "q_lora_rank", 0);
  latent.kv_rank = required_int(config, "kv_lora_rank");
  latent.d_nope = required_int(config, "qk_nope_head_dim");
  latent.d_value = required_int(config, "v_head_dim");
  AttentionConfig& attention = parsed.attention;
  const std::int64_t d_rotary = required_int(config, "qk_rope_head_dim");
  attention.rope = parse_rope(config, d_rotary, parsed.n_ctx, defaults);
  if (attention.rope.d_rotary != d_rotary) throw input_error("partial_rotary_factor with latent attention: not known");
  attention.rope.interleaved = interleaved;
  attention.d_head = latent.d_nope + d_rotary;
  attention.n_kv_heads = attention.n_heads;
  attention.scale = yarn_score_factor(config, attention.rope) / std::sqrt(static_cast<double>(attention.d_head));
  attention.latent = latent;
}

void parse_experts(const nlohmann::json& config, std::int64_t n_shared, ModelConfig& parsed) {
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.d_expert = required_int(config, "moe_intermediate_size");
  parsed.d_shared = parsed.d_expert * optional_int(config, "n_shared_experts", n_shared);
  RouterConfig& router = parsed.router;
  router.n_experts = required_int(config, "n_routed_experts");
  router.n_experts_per_token = required_int(config, "num_experts_per_tok");
  router.n_groups = optional_int(config, "n_group", 1);
  router.n_groups_chosen = optional_int(config, "topk_group", router.n_groups);
  router.scale = optional_real(config, "routed_scaling_factor", 1.0);
}

// DeepSeek-V3's router, and its layers for predicting further tokens (section 2.2).
void parse_sigmoid_router(const nlohmann::json& config, ModelConfig& parsed) {
  require_value(config, "scoring_func", "sigmoid");
  parsed.n_further_layers = optional_int(config, "num_nextn_predict_layers", 1);
  RouterConfig& router = parsed.router;
  router.scoring = Scoring::kSigmoid;
  router.group_score = GroupScore::kSumOfBestTwo;
  router.renormalize = optional_bool(config, "norm_topk_prob", true);
  router.sum_floor = 1e-20;
}

// The first layers are dense.
void parse_first_dense(const nlohmann::json& config, std::int64_t fallback, ModelConfig& parsed) {
  const std::int64_t n_dense = optional_int(config, "first_k_dense_replace", fallback);
  set_dense_layers(parsed, required_int(config, "intermediate_size"), [&](std::int64_t l) { return l < n_dense; });
}

// Keys that only say what a head's width is elsewhere do not count with latent attention.
nlohmann::json without_head_dim(nlohmann::json config) {
  config.erase("head_dim");
  if (find_key(config, "qk_rope_head_dim") != nullptr) config["head_dim"] = config["qk_rope_head_dim"];
  return config;
}

ModelConfig parse_deepseek_v2(const nlohmann::json& config) {
  const DecoderDefaults defaults;
  ModelConfig parsed = parse_decoder(without_head_dim(config), defaults);
  parse_latent(config, defaults, true, parsed);
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  parsed.biases.dense = optional_bool(config, "mlp_bias", false);
  require_value(config, "norm_topk_prob", false);
  require_value(config, "scoring_func", "softmax");
  parse_experts(config, 2, parsed);
  const std::string method = config.value("topk_method", "greedy");
  if (method == "greedy") {
    parsed.router.n_groups = parsed.router.n_groups_chosen = 1;
  } else if (method != "group_limited_greedy") {
    throw input_error("topk_method is '{}'; known: greedy, group_limited_greedy", method);
  }
  parse_first_dense(config, 0, parsed);
  return parsed;
}

ModelConfig parse_deepseek_v3(const nlohmann::json& config) {
  const DecoderDefaults defaults{.n_ctx = 4096};
  ModelConfig parsed = parse_decoder(without_head_dim(config), defaults);
  parse_latent(config, defaults, optional_bool(config, "rope_interleave", true), parsed);
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  parse_experts(config, 1, parsed);
  if (find_key(config, "n_group") == nullptr) parsed.router.n_groups = parsed.router.n_groups_chosen = 1;
  parse_sigmoid_router(config, parsed);
  parse_first_dense(config, 3, parsed);
  return parsed;
}

ModelConfig parse_glm4_moe_lite(const nlohmann::json& config) {
  const DecoderDefaults defaults{.n_ctx = 202752, .norm_eps = 1e-5};
  ModelConfig parsed = parse_decoder(without_head_dim(config), defaults);
  parse_latent(config, defaults, optional_bool(config, "rope_interleave", true), parsed);
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  parse_experts(config, 1, parsed);
  parsed.router.scale = optional_real(config, "routed_scaling_factor", 1.8);
  parse_sigmoid_router(config, parsed);
  const nlohmann::json* types = find_key(config, "mlp_layer_types");
  if (types != nullptr && (!types->is_array() || static_cast<std::int64_t>(types->size()) != parsed.n_layers)) {
    throw input_error("key 'mlp_layer_types' is not a list of num_hidden_layers {} names", parsed.n_layers);
  }
  set_dense_layers(parsed, required_int(config, "intermediate_size"), [&](std::int64_t l) {
    if (types == nullptr) return l == 0;
    const nlohmann::json& type = (*types)[static_cast<std::size_t>(l)];
    if (type != "dense" && type != "sparse")
      throw input_error("mlp_layer_types has {}, not dense or sparse", type.dump());
    return type == "dense";
  });
  return parsed;
}

ModelConfig parse_glm4_moe(const nlohmann::json& config) {
  ModelConfig parsed =
      parse_decoder(config, {.n_ctx = 131072, .norm_eps = 1e-5, .partial_rotary_factor = 0.5, .n_kv_heads = 8});
  if (optional_bool(config, "use_qk_norm", false)) parsed.attention.qk_norm = QkNorm::kPerHead;
  parsed.biases.attention = optional_bool(config, "attention_bias", false);  // the output has none in this family
  parse_experts(config, 1, parsed);
  parse_sigmoid_router(config, parsed);
  parse_first_dense(config, 1, parsed);
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  std::vector<WeightSpec> specs = config.attention.latent ? latent_decoder_weights(config) : decoder_weights(config);
  add_layer_norms(specs, config);
  add_dense_layers(specs, config);
  if (config.all_dense()) return specs;
  const std::int64_t n_experts = config.router.n_experts;
  specs.push_back({Role::kRouter, kMlp + "gate.weight", {n_experts, config.d_model}, Part::kWeight, Layers::kSparse});
  if (config.router.scoring == Scoring::kSigmoid) {
    specs.push_back(
        {Role::kSelectionBias, kMlp + "gate.e_score_correction_bias", {n_experts}, Part::kWeight, Layers::kSparse});
  }
  add_experts(specs, config, kMlp + "experts.", has);
  if (config.d_shared > 0) {
    add_swiglu(specs, config, kMlp + "shared_experts.", Layers::kSparse, config.d_shared, config.biases.dense,
               {Role::kSharedGate, Role::kSharedUp, Role::kSharedDown});
  }
  return specs;
}

}  // namespace

const Family kDeepseekV2 = {"deepseek_v2", parse_deepseek_v2, weights, rotary_buffers()};
const Family kDeepseekV3 = {"deepseek_v3", parse_deepseek_v3, weights, rotary_buffers()};
const Family kGlm4Moe = {"glm4_moe", parse_glm4_moe, weights, rotary_buffers()};
const Family kGlm4MoeLite = {"glm4_moe_lite", parse_glm4_moe_lite, weights, rotary_buffers()};

}  // namespace moescope::model
