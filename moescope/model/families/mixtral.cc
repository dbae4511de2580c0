// Mixtral (Jiang et al. 2024, arXiv 2401.04088): softmax, top-k, always renormalised; w1 is the gate, w3 up, w2 down.
// Reference: transformers' modeling_mixtral.py.
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_mixtral(const nlohmann::json& config) {
  ModelConfig parsed =
      parse_decoder(config, {.n_ctx = 4096 * 32, .norm_eps = 1e-5, .rope_theta = 1e6, .n_kv_heads = 8});
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.d_expert = required_int(config, "intermediate_size");
  parsed.router.n_experts = optional_int(config, "num_local_experts", 8);
  parsed.router.n_experts_per_token = optional_int(config, "num_experts_per_tok", 2);
  parsed.router.renormalize = true;
  parsed.attention.windows.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, parsed.n_layers)),
                                  optional_int(config, "sliding_window", 0));
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  add_layer_norms(specs, config);
  const std::int64_t d = config.d_model, f = config.d_expert;
  // transformers 5 calls the part mlp in memory; released checkpoints call it block_sparse_moe.
  const bool fused = has("model.layers.0.mlp.experts.gate_up_proj");
  const std::string moe = fused ? "model.layers.{l}.mlp." : "model.layers.{l}.block_sparse_moe.";
  specs.push_back({Role::kRouter, moe + "gate.weight", {config.router.n_experts, d}});
  if (fused) {
    add_experts(specs, config, moe + "experts.", has);
    return specs;
  }
  specs.push_back({Role::kExpertGate, moe + "experts.{e}.w1.weight", {f, d}});
  specs.push_back({Role::kExpertUp, moe + "experts.{e}.w3.weight", {f, d}});
  specs.push_back({Role::kExpertDown, moe + "experts.{e}.w2.weight", {d, f}});
  return specs;
}

}  // namespace

const Family kMixtral = {"mixtral", parse_mixtral, weights, rotary_buffers()};

}  // namespace moescope::model
