// What many families share: the keys of a Llama-like config.json and the tensor names of a Llama-like checkpoint.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/model/config.h"
#include "moescope/model/family.h"

namespace moescope::model {

extern const Family kOlmoe, kMixtral, kQwen2Moe, kQwen3Moe, kErnie45Moe, kGptOss, kGlm4Moe, kGlm4MoeLite, kDeepseekV2,
    kDeepseekV3, kGpt2, kGptNeox, kLlama, kOlmo, kOlmo2, kQwen3, kMistral, kMinistral3;

// Defaults of keys that transformers' configuration of a family fills in where config.json leaves them out.
struct DecoderDefaults {
  std::int64_t n_ctx = 2048;
  double norm_eps = 1e-6;
  double rope_theta = 10000.0;
  double partial_rotary_factor = 1.0;
  bool tie_embeddings = false;
  std::int64_t n_kv_heads = 0;  // 0: as many as heads
  std::int64_t d_head = 0;      // 0: hidden_size / num_attention_heads
};

// hidden_size, vocab_size, num_hidden_layers, heads, rope, rms_norm_eps, tie_word_embeddings. Not the feed-forward
// part.
ModelConfig parse_decoder(const nlohmann::json& config, const DecoderDefaults& defaults);

// rope_parameters as transformers 5 writes them, or rope_theta and rope_scaling as releases before it did. A head has
// `d_turned` entries that may turn, of which partial_rotary_factor does. Throws kInput for scalings not known here.
RopeConfig parse_rope(const nlohmann::json& config, std::int64_t d_turned, std::int64_t n_ctx,
                      const DecoderDefaults& defaults);
// YaRN's correction of the softmax as DeepSeek applies it: the factor on the scores besides d_head^-1/2.
double yarn_score_factor(const nlohmann::json& config, const RopeConfig& rope);

// hidden_act, or another key for it.
Activation parse_activation(const nlohmann::json& config, const char* key, const std::string& fallback);

// layer_types, a list of "full_attention" and "sliding_attention", to windows by layer. Empty if the key is absent.
std::vector<std::int64_t> parse_layer_types(const nlohmann::json& config, std::int64_t n_layers, std::int64_t window);

// A model whose feed-forward layers are all dense, of width intermediate_size.
void make_dense(ModelConfig& config, std::int64_t d_hidden);

// Which layers of a sparse model are dense: dense_layers[l] = dense(l); empty if none is. Throws if all are.
template <typename IsDense>
void set_dense_layers(ModelConfig& config, std::int64_t d_dense, const IsDense& is_dense) {
  std::vector<bool> dense;
  for (std::int64_t l = 0; l < config.n_layers; ++l) dense.push_back(is_dense(l));
  bool any = false, all = true;
  for (const bool d : dense) {
    any = any || d;
    all = all && d;
  }
  if (all && config.n_layers > 0) {
    make_dense(config, d_dense);
  } else if (any) {
    config.dense_layers = dense;
    config.d_dense = d_dense;
  }
}

// model.embed_tokens, model.norm, lm_head; self_attn.{q,k,v,o}_proj and, where the config has them, q_norm and k_norm.
std::vector<WeightSpec> decoder_weights(const ModelConfig& config);
// The norms input_layernorm and post_attention_layernorm.
void add_layer_norms(std::vector<WeightSpec>& specs, const ModelConfig& config);
// Multi-head latent attention in DeepSeek's names, in place of decoder_weights' attention.
std::vector<WeightSpec> latent_decoder_weights(const ModelConfig& config);

// gate_proj, up_proj, down_proj under a prefix as `roles`, of width d_hidden.
struct ExpertRoles {
  Role gate = Role::kExpertGate, up = Role::kExpertUp, down = Role::kExpertDown;
};
void add_swiglu(std::vector<WeightSpec>& specs, const ModelConfig& config, const std::string& prefix, Layers layers,
                std::int64_t d_hidden, bool bias = false, const ExpertRoles& roles = {});
// Routed experts under `prefix` ("model.layers.{l}.mlp.experts."): one tensor a projection and expert, or (where the
// checkpoint has them) gate_up_proj [E, 2F, D] and down_proj [E, D, F].
void add_experts(std::vector<WeightSpec>& specs, const ModelConfig& config, const std::string& prefix,
                 const HasTensor& has);
// The dense layers' feed-forward part, at model.layers.{l}.mlp.; nothing if the model has none.
void add_dense_layers(std::vector<WeightSpec>& specs, const ModelConfig& config);

// Frequencies that old releases of transformers stored; computed here, so not read.
std::vector<std::string> rotary_buffers();

}  // namespace moescope::model
