// Qwen1.5/Qwen2 MoE and Qwen3 MoE: softmax before top-k, dense layers among the sparse ones. Qwen2 adds an expert that
// every token reaches, weighted by a sigmoid of its own, and biases; Qwen3 a norm over each head's queries and keys.
// Reference: transformers' modeling_qwen2_moe.py and modeling_qwen3_moe.py.
#include <set>

#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

const std::string kMlp = "model.layers.{l}.mlp.";

// Layers in mlp_only_layers, and all but every decoder_sparse_step-th, are dense.
void parse_experts(const nlohmann::json& config, std::int64_t n_experts, ModelConfig& parsed) {
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.d_expert = required_int(config, "moe_intermediate_size");
  parsed.router.n_experts = n_experts;
  parsed.router.n_experts_per_token = required_int(config, "num_experts_per_tok");
  parsed.router.renormalize = optional_bool(config, "norm_topk_prob", false);
  std::set<std::int64_t> dense;
  if (const nlohmann::json* list = find_key(config, "mlp_only_layers")) {
    for (const nlohmann::json& layer : *list) {
      if (!layer.is_number_integer()) throw input_error("key 'mlp_only_layers' is {}, expected layers", list->dump());
      dense.insert(layer.get<std::int64_t>());
    }
  }
  const std::int64_t step = optional_int(config, "decoder_sparse_step", 1);
  if (step < 1) throw input_error("decoder_sparse_step is {}, expected at least 1", step);
  set_dense_layers(parsed, optional_int(config, "intermediate_size", 0),
                   [&](std::int64_t l) { return dense.contains(l) || n_experts == 0 || (l + 1) % step != 0; });
}

ModelConfig parse_qwen2_moe(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {.n_ctx = 32768, .n_kv_heads = 16});
  parsed.biases.attention = optional_bool(config, "qkv_bias", true);
  parsed.d_shared = required_int(config, "shared_expert_intermediate_size");
  parse_experts(config, optional_int(config, "num_experts", 60), parsed);
  const bool sliding = optional_bool(config, "use_sliding_window", false);
  const std::int64_t window = sliding ? optional_int(config, "sliding_window", 4096) : 0;
  parsed.attention.windows = parse_layer_types(config, parsed.n_layers, window);
  if (parsed.attention.windows.empty()) {
    const std::int64_t end = optional_int(config, "max_window_layers", 28);
    for (std::int64_t l = 0; l < parsed.n_layers; ++l) {
      parsed.attention.windows.push_back(l % 2 == 0 && l < end ? window : 0);
    }
  }
  return parsed;
}

ModelConfig parse_qwen3_moe(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {.n_ctx = 32768, .n_kv_heads = 4});
  parsed.attention.qk_norm = QkNorm::kPerHead;
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  parse_experts(config, optional_int(config, "num_experts", optional_int(config, "num_local_experts", 128)), parsed);
  const bool sliding = optional_bool(config, "use_sliding_window", false);
  const std::int64_t window = sliding ? optional_int(config, "sliding_window", 4096) : 0;
  parsed.attention.windows.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, parsed.n_layers)), window);
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  add_layer_norms(specs, config);
  add_dense_layers(specs, config);
  if (config.all_dense()) return specs;
  const std::int64_t n_experts = config.router.n_experts, d = config.d_model;
  specs.push_back({Role::kRouter, kMlp + "gate.weight", {n_experts, d}, Part::kWeight, Layers::kSparse});
  add_experts(specs, config, kMlp + "experts.", has);
  if (config.d_shared > 0) {
    add_swiglu(specs, config, kMlp + "shared_expert.", Layers::kSparse, config.d_shared, false,
               {Role::kSharedGate, Role::kSharedUp, Role::kSharedDown});
    specs.push_back({Role::kSharedRouter, kMlp + "shared_expert_gate.weight", {1, d}, Part::kWeight, Layers::kSparse});
  }
  return specs;
}

}  // namespace

const Family kQwen2Moe = {"qwen2_moe", parse_qwen2_moe, weights};
const Family kQwen3Moe = {"qwen3_moe", parse_qwen3_moe, weights};

}  // namespace moescope::model
