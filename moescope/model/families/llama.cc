// Llama and the dense families that differ from it in a detail: Mistral (a sliding window in every layer), Ministral 3
// (queries that grow with their position), Qwen3 (a norm over each head's queries and keys).
// Reference: transformers' modeling_llama.py, modeling_mistral.py, modeling_ministral3.py, modeling_qwen3.py.
#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_llama(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {});
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  parsed.biases.dense = optional_bool(config, "mlp_bias", false);
  make_dense(parsed, required_int(config, "intermediate_size"));
  return parsed;
}

ModelConfig parse_mistral(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {.n_ctx = 4096 * 32, .n_kv_heads = 8});
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  const bool named = config.contains("sliding_window");  // null means none, absent means the family's default
  const std::int64_t window = named ? optional_int(config, "sliding_window", 0) : 4096;
  parsed.attention.windows.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, parsed.n_layers)), window);
  make_dense(parsed, required_int(config, "intermediate_size"));
  return parsed;
}

ModelConfig parse_ministral3(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {.n_ctx = 262144, .norm_eps = 1e-5, .n_kv_heads = 8, .d_head = 128});
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  const nlohmann::json* rope = find_key(config, "rope_parameters");
  if (rope == nullptr) throw input_error("key 'rope_parameters' is missing");
  if (find_key(*rope, "llama_4_scaling_beta") == nullptr) throw input_error("key 'llama_4_scaling_beta' is missing");
  parsed.attention.position_beta = optional_real(*rope, "llama_4_scaling_beta", 0);
  parsed.attention.windows.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, parsed.n_layers)),
                                  optional_int(config, "sliding_window", 0));
  make_dense(parsed, required_int(config, "intermediate_size"));
  return parsed;
}

ModelConfig parse_qwen3(const nlohmann::json& config) {
  ModelConfig parsed = parse_decoder(config, {.n_ctx = 32768, .n_kv_heads = 32, .d_head = 128});
  parsed.expert.activation = parse_activation(config, "hidden_act", "silu");
  parsed.attention.qk_norm = QkNorm::kPerHead;
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", false);
  const bool sliding = optional_bool(config, "use_sliding_window", false);
  const std::int64_t window = sliding ? optional_int(config, "sliding_window", 4096) : 0;
  parsed.attention.windows = parse_layer_types(config, parsed.n_layers, window);
  if (parsed.attention.windows.empty()) {
    const std::int64_t first = optional_int(config, "max_window_layers", 28);
    for (std::int64_t l = 0; l < parsed.n_layers; ++l) parsed.attention.windows.push_back(l >= first ? window : 0);
  }
  make_dense(parsed, required_int(config, "intermediate_size"));
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor&) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  add_layer_norms(specs, config);
  add_dense_layers(specs, config);
  return specs;
}

}  // namespace

const Family kLlama = {"llama", parse_llama, weights, rotary_buffers()};
const Family kMistral = {"mistral", parse_mistral, weights, rotary_buffers()};
const Family kMinistral3 = {"ministral3", parse_ministral3, weights};
const Family kQwen3 = {"qwen3", parse_qwen3, weights};

}  // namespace moescope::model
