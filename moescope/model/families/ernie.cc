// ERNIE 4.5 MoE (Baidu 2025): softmax, a bias that only chooses, renormalised weights, shared experts, interleaved
// rotary positions, dense layers at the start. Reference: transformers' modeling_ernie4_5_moe.py.
#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

const std::string kMlp = "model.layers.{l}.mlp.";

ModelConfig parse_ernie(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(
      config, {.n_ctx = 131072, .norm_eps = 1e-5, .rope_theta = 500000.0, .tie_embeddings = true, .n_kv_heads = 4});
  parsed.attention.rope.interleaved = true;
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  const bool bias = optional_bool(config, "use_bias", false);
  parsed.biases = {bias, bias, bias};
  parsed.d_expert = required_int(config, "moe_intermediate_size");
  parsed.d_shared = parsed.d_expert * optional_int(config, "moe_num_shared_experts", 2);
  parsed.router.n_experts = optional_int(config, "moe_num_experts", 64);
  parsed.router.n_experts_per_token = optional_int(config, "moe_k", 6);
  parsed.router.renormalize = true;
  parsed.router.sum_floor = optional_real(config, "moe_norm_min", 1e-12);
  const std::int64_t first = optional_int(config, "moe_layer_start_index", 1);
  std::int64_t last = optional_int(config, "moe_layer_end_index", -1);
  if (last == -1) last = parsed.n_layers - 1;
  const std::int64_t interval = optional_int(config, "moe_layer_interval", 1);
  if (interval < 1) throw input_error("moe_layer_interval is {}, expected at least 1", interval);
  set_dense_layers(parsed, required_int(config, "intermediate_size"),
                   [&](std::int64_t l) { return (l + 1) % interval != 0 || l < first || l > last; });
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  add_layer_norms(specs, config);
  if (config.biases.dense) specs.push_back({Role::kUnembedding, "lm_head.bias", {config.d_vocab}, Part::kBias});
  add_dense_layers(specs, config);
  if (config.all_dense()) return specs;
  const std::int64_t n_experts = config.router.n_experts;
  specs.push_back({Role::kRouter, kMlp + "gate.weight", {n_experts, config.d_model}, Part::kWeight, Layers::kSparse});
  specs.push_back({Role::kSelectionBias,
                   kMlp + "moe_statics.e_score_correction_bias",
                   {1, n_experts},
                   Part::kWeight,
                   Layers::kSparse});
  add_experts(specs, config, kMlp + "experts.", has);
  if (config.d_shared > 0) {
    add_swiglu(specs, config, kMlp + "shared_experts.", Layers::kSparse, config.d_shared, config.biases.dense,
               {Role::kSharedGate, Role::kSharedUp, Role::kSharedDown});
  }
  return specs;
}

}  // namespace

const Family kErnie45Moe = {"ernie4_5_moe", parse_ernie, weights, {R"(.*mtp.*)"}};

}  // namespace moescope::model
