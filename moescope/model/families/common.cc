#include "moescope/model/families/common.h"

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

const std::string kLayer = "model.layers.{l}.";

double mscale(double factor, double scale) { return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0; }

// The object that holds a model's rotary settings, whatever release wrote it; null if there is none.
const nlohmann::json* find_rope(const nlohmann::json& config) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {  // the first wins, as in transformers
    const nlohmann::json* found = find_key(config, key);
    if (found == nullptr) continue;
    if (!found->is_object()) throw input_error("key '{}' is {}, expected an object", key, found->dump());
    return found;
  }
  return nullptr;
}

std::string rope_type(const nlohmann::json& rope) {
  for (const char* key : {"rope_type", "type"}) {
    const nlohmann::json* found = find_key(rope, key);
    if (found != nullptr && found->is_string()) return found->get<std::string>();
  }
  return "default";
}

double required_real(const nlohmann::json& config, const char* key) {
  if (find_key(config, key) == nullptr) throw input_error("key '{}' of the rotary positions is missing", key);
  return optional_real(config, key, 0);
}

void parse_yarn(const nlohmann::json& rope, std::int64_t n_ctx, RopeConfig& parsed) {
  parsed.scaling = RopeScaling::kYarn;
  parsed.factor =
      optional_real(rope, "factor", static_cast<double>(n_ctx) / static_cast<double>(parsed.n_original_ctx));
  parsed.beta_fast = optional_real(rope, "beta_fast", 32.0);
  parsed.beta_slow = optional_real(rope, "beta_slow", 1.0);
  parsed.truncate = optional_bool(rope, "truncate", true);
  const double scale = optional_real(rope, "mscale", 0), scale_all = optional_real(rope, "mscale_all_dim", 0);
  const double inferred = scale != 0 && scale_all != 0 ? mscale(parsed.factor, scale) / mscale(parsed.factor, scale_all)
                                                       : mscale(parsed.factor, 1.0);
  parsed.attention_factor = optional_real(rope, "attention_factor", inferred);
}

void parse_scaling(const nlohmann::json& rope, std::int64_t n_ctx, RopeConfig& parsed) {
  const std::string type = rope_type(rope);
  if (type == "default") return;
  if (type == "linear") {
    parsed.scaling = RopeScaling::kLinear;
    parsed.factor = required_real(rope, "factor");
  } else if (type == "llama3") {
    parsed.scaling = RopeScaling::kLlama3;
    parsed.factor = required_real(rope, "factor");
    parsed.low_freq_factor = required_real(rope, "low_freq_factor");
    parsed.high_freq_factor = required_real(rope, "high_freq_factor");
  } else if (type == "yarn") {
    parse_yarn(rope, n_ctx, parsed);
  } else {
    throw input_error("rope_type '{}' is not known; known: default, linear, llama3, yarn", type);
  }
  if (!(parsed.factor > 0)) throw input_error("factor of the rotary positions is {}, expected > 0", parsed.factor);
}

std::int64_t n_per_head(std::int64_t d_model, std::int64_t n_heads) {
  if (n_heads < 1 || d_model % n_heads != 0) {
    throw input_error("hidden_size {} is not a multiple of num_attention_heads {}, and there is no head_dim", d_model,
                      n_heads);
  }
  return d_model / n_heads;
}

// What lies around the layers.
std::vector<WeightSpec> outer_weights(const ModelConfig& config) {
  std::vector<WeightSpec> specs = {
      {Role::kTokenEmbedding, "model.embed_tokens.weight", {config.d_vocab, config.d_model}},
      {Role::kFinalNorm, "model.norm.weight", {config.d_model}}};
  if (!config.tie_embeddings) specs.push_back({Role::kUnembedding, "lm_head.weight", {config.d_vocab, config.d_model}});
  return specs;
}

}  // namespace

RopeConfig parse_rope(const nlohmann::json& config, std::int64_t d_turned, std::int64_t n_ctx,
                      const DecoderDefaults& defaults) {
  RopeConfig parsed;
  parsed.theta = optional_real(config, "rope_theta", defaults.rope_theta);
  double share = optional_real(config, "partial_rotary_factor", defaults.partial_rotary_factor);
  parsed.n_original_ctx = n_ctx;
  if (const nlohmann::json* rope = find_rope(config)) {
    const double theta = optional_real(*rope, "rope_theta", parsed.theta);
    if (find_key(config, "rope_theta") != nullptr && theta != parsed.theta) {
      throw input_error("rope_theta is {} at top level and {} in rope_parameters", parsed.theta, theta);
    }
    parsed.theta = theta;
    share = optional_real(*rope, "partial_rotary_factor", share);
    parsed.n_original_ctx = optional_int(*rope, "original_max_position_embeddings", n_ctx);
    parsed.n_original_ctx = optional_int(config, "original_max_position_embeddings", parsed.n_original_ctx);
    if (parsed.n_original_ctx < 1) {
      throw input_error("original_max_position_embeddings is {}, expected at least 1", parsed.n_original_ctx);
    }
    parse_scaling(*rope, n_ctx, parsed);
  }
  if (!(parsed.theta > 1)) throw input_error("rope_theta is {}, expected more than 1", parsed.theta);
  if (!(share > 0 && share <= 1)) throw input_error("partial_rotary_factor is {}, expected in (0, 1]", share);
  parsed.d_rotary = static_cast<std::int64_t>(static_cast<double>(d_turned) * share);
  return parsed;
}

double yarn_score_factor(const nlohmann::json& config, const RopeConfig& rope) {
  const nlohmann::json* settings = find_rope(config);
  if (settings == nullptr || rope.scaling == RopeScaling::kNone) return 1.0;
  const double scale = optional_real(*settings, "mscale_all_dim", 0);
  return scale == 0 ? 1.0 : mscale(rope.factor, scale) * mscale(rope.factor, scale);
}

ModelConfig parse_decoder(const nlohmann::json& config, const DecoderDefaults& defaults) {
  ModelConfig parsed;
  parsed.d_model = required_int(config, "hidden_size");
  parsed.d_vocab = required_int(config, "vocab_size");
  parsed.n_layers = required_int(config, "num_hidden_layers");
  parsed.n_ctx = optional_int(config, "max_position_embeddings", defaults.n_ctx);
  parsed.norm_eps = optional_real(config, "rms_norm_eps", defaults.norm_eps);
  parsed.tie_embeddings = optional_bool(config, "tie_word_embeddings", defaults.tie_embeddings);
  AttentionConfig& attention = parsed.attention;
  attention.n_heads = required_int(config, "num_attention_heads");
  attention.n_kv_heads =
      optional_int(config, "num_key_value_heads", defaults.n_kv_heads > 0 ? defaults.n_kv_heads : attention.n_heads);
  attention.d_head = find_key(config, "head_dim") != nullptr ? required_int(config, "head_dim")
                     : defaults.d_head > 0                   ? defaults.d_head
                                                             : n_per_head(parsed.d_model, attention.n_heads);
  attention.rope = parse_rope(config, attention.d_head, parsed.n_ctx, defaults);
  return parsed;
}

Activation parse_activation(const nlohmann::json& config, const char* key, const std::string& fallback) {
  const nlohmann::json* value = find_key(config, key);
  const std::string name = value == nullptr ? fallback : value->is_string() ? value->get<std::string>() : value->dump();
  if (name == "silu" || name == "swish") return Activation::kSilu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
  if (name == "relu") return Activation::kRelu;
  throw input_error("key '{}' is '{}'; known: silu, gelu, gelu_new, gelu_pytorch_tanh, relu", key, name);
}

std::vector<std::int64_t> parse_layer_types(const nlohmann::json& config, std::int64_t n_layers, std::int64_t window) {
  std::vector<std::int64_t> windows;
  const nlohmann::json* types = find_key(config, "layer_types");
  if (types == nullptr) return windows;
  if (!types->is_array() || static_cast<std::int64_t>(types->size()) != n_layers) {
    throw input_error("key 'layer_types' is not a list of num_hidden_layers {} names", n_layers);
  }
  for (const nlohmann::json& type : *types) {
    if (type == "sliding_attention") {
      windows.push_back(window);
    } else if (type == "full_attention") {
      windows.push_back(0);
    } else {
      throw input_error("layer_types has {}; known: full_attention, sliding_attention", type.dump());
    }
  }
  return windows;
}

void make_dense(ModelConfig& config, std::int64_t d_hidden) {
  config.d_expert = d_hidden;
  config.d_dense = config.d_shared = 0;
  config.router = {};
  config.router.n_experts = config.router.n_experts_per_token = 1;
  config.dense_layers.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, config.n_layers)), true);
}

std::vector<WeightSpec> decoder_weights(const ModelConfig& config) {
  const std::int64_t d_model = config.d_model;
  const AttentionConfig& attention = config.attention;
  const std::int64_t d_query = attention.n_heads * attention.d_head, d_key = attention.n_kv_heads * attention.d_head;
  std::vector<WeightSpec> specs = outer_weights(config);
  const std::string part = kLayer + "self_attn.";
  const auto add = [&](Role role, const char* name, std::int64_t out, std::int64_t in, bool has_bias) {
    specs.push_back({role, part + name + ".weight", {out, in}});
    if (has_bias) specs.push_back({role, part + name + ".bias", {out}, Part::kBias});
  };
  add(Role::kQuery, "q_proj", d_query, d_model, config.biases.attention);
  add(Role::kKey, "k_proj", d_key, d_model, config.biases.attention);
  add(Role::kValue, "v_proj", d_key, d_model, config.biases.attention);
  add(Role::kAttentionOutput, "o_proj", d_model, d_query, config.biases.attention_output);
  if (attention.qk_norm != QkNorm::kNone) {
    const bool whole = attention.qk_norm == QkNorm::kWhole;
    specs.push_back({Role::kQueryNorm, part + "q_norm.weight", {whole ? d_query : attention.d_head}});
    specs.push_back({Role::kKeyNorm, part + "k_norm.weight", {whole ? d_key : attention.d_head}});
  }
  return specs;
}

void add_layer_norms(std::vector<WeightSpec>& specs, const ModelConfig& config) {
  specs.push_back({Role::kAttentionNorm, kLayer + "input_layernorm.weight", {config.d_model}});
  specs.push_back({Role::kFeedForwardNorm, kLayer + "post_attention_layernorm.weight", {config.d_model}});
}

std::vector<WeightSpec> latent_decoder_weights(const ModelConfig& config) {
  const bool bias = config.biases.attention;
  const std::int64_t d_model = config.d_model;
  const AttentionConfig& attention = config.attention;
  const LatentConfig& latent = *attention.latent;
  const std::int64_t d_query = attention.n_heads * attention.d_head;
  std::vector<WeightSpec> specs = outer_weights(config);
  const std::string part = kLayer + "self_attn.";
  const auto add = [&](Role role, const char* name, std::int64_t out, std::int64_t in, bool has_bias) {
    specs.push_back({role, part + name + ".weight", {out, in}});
    if (has_bias) specs.push_back({role, part + name + ".bias", {out}, Part::kBias});
  };
  if (latent.q_rank == 0) {
    add(Role::kQuery, "q_proj", d_query, d_model, false);
  } else {
    add(Role::kQueryDown, "q_a_proj", latent.q_rank, d_model, bias);
    specs.push_back({Role::kQueryLatentNorm, part + "q_a_layernorm.weight", {latent.q_rank}});
    add(Role::kQueryUp, "q_b_proj", d_query, latent.q_rank, false);
  }
  add(Role::kKeyValueDown, "kv_a_proj_with_mqa", latent.kv_rank + attention.rope.d_rotary, d_model, bias);
  specs.push_back({Role::kKeyValueLatentNorm, part + "kv_a_layernorm.weight", {latent.kv_rank}});
  add(Role::kKeyValueUp, "kv_b_proj", attention.n_heads * (latent.d_nope + latent.d_value), latent.kv_rank, false);
  add(Role::kAttentionOutput, "o_proj", d_model, attention.n_heads * latent.d_value, config.biases.attention_output);
  return specs;
}

void add_swiglu(std::vector<WeightSpec>& specs, const ModelConfig& config, const std::string& prefix, Layers layers,
                std::int64_t d_hidden, bool bias, const ExpertRoles& roles) {
  const auto add = [&](Role role, const char* name, std::int64_t out, std::int64_t in) {
    specs.push_back({role, prefix + name + ".weight", {out, in}, Part::kWeight, layers});
    if (bias) specs.push_back({role, prefix + name + ".bias", {out}, Part::kBias, layers});
  };
  add(roles.gate, "gate_proj", d_hidden, config.d_model);
  add(roles.up, "up_proj", d_hidden, config.d_model);
  add(roles.down, "down_proj", config.d_model, d_hidden);
}

void add_experts(std::vector<WeightSpec>& specs, const ModelConfig& config, const std::string& prefix,
                 const HasTensor& has) {
  if (config.all_dense()) return;
  const std::int64_t n_experts = config.router.n_experts, f = config.d_expert, d = config.d_model;
  bool fused = false;
  for (std::int64_t l = 0; l < config.n_layers && !fused; ++l) {
    fused = has(WeightSpec{Role::kExpertUp, prefix + "gate_up_proj", {}}.name(l));
  }
  if (!fused) return add_swiglu(specs, config, prefix + "{e}.", Layers::kSparse, f);
  const auto half = [](std::int64_t part) {
    return Slice{.stacked = true, .rows = Slice::Rows::kBlocks, .n_parts = 2, .part = part};
  };
  const std::string both = prefix + "gate_up_proj";
  specs.push_back({Role::kExpertGate, both, {n_experts, 2 * f, d}, Part::kWeight, Layers::kSparse, half(0)});
  specs.push_back({Role::kExpertUp, both, {n_experts, 2 * f, d}, Part::kWeight, Layers::kSparse, half(1)});
  specs.push_back({Role::kExpertDown,
                   prefix + "down_proj",
                   {n_experts, d, f},
                   Part::kWeight,
                   Layers::kSparse,
                   Slice{.stacked = true}});
}

void add_dense_layers(std::vector<WeightSpec>& specs, const ModelConfig& config) {
  if (config.dense_layers.empty()) return;
  const std::int64_t d_hidden = config.d_dense > 0 ? config.d_dense : config.d_expert;
  add_swiglu(specs, config, kLayer + "mlp.", Layers::kDense, d_hidden, config.biases.dense);
}

std::vector<std::string> rotary_buffers() { return {R"(.*rotary_emb\.inv_freq)"}; }

}  // namespace moescope::model
