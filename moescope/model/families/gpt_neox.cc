// GPT-NeoX (Black et al. 2022, arXiv 2204.06745), also of Pythia: attention and feed-forward side by side, LayerNorm,
// rotary positions on a part of each head, one tensor for queries, keys and values by head.
// Reference: transformers' modeling_gpt_neox.py.
#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_gpt_neox(const nlohmann::json& config) {
  DecoderDefaults defaults;
  defaults.rope_theta = optional_real(config, "rotary_emb_base", 10000.0);
  defaults.partial_rotary_factor = optional_real(config, "rotary_pct", 0.25);
  ModelConfig parsed = parse_decoder(config, defaults);
  parsed.attention.n_kv_heads = parsed.attention.n_heads;
  parsed.norm = NormKind::kLayerNorm;
  parsed.norm_eps = optional_real(config, "layer_norm_eps", 1e-5);
  parsed.order = optional_bool(config, "use_parallel_residual", true) ? LayerOrder::kParallel : LayerOrder::kPreNorm;
  parsed.expert.gated = false;
  parsed.expert.activation = parse_activation(config, "hidden_act", "gelu");
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", true);
  parsed.biases.dense = true;
  make_dense(parsed, required_int(config, "intermediate_size"));
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  const std::int64_t d = config.d_model, f = config.d_expert;
  const std::string layer = "gpt_neox.layers.{l}.";
  std::vector<WeightSpec> specs = {{Role::kTokenEmbedding, "gpt_neox.embed_in.weight", {config.d_vocab, d}}};
  if (!config.tie_embeddings) {
    const bool renamed = has("lm_head.weight");
    specs.push_back({Role::kUnembedding, renamed ? "lm_head.weight" : "embed_out.weight", {config.d_vocab, d}});
  }
  const auto add_norm = [&](Role role, const std::string& name) {
    specs.push_back({role, name + ".weight", {d}});
    specs.push_back({role, name + ".bias", {d}, Part::kBias});
  };
  add_norm(Role::kFinalNorm, "gpt_neox.final_layer_norm");
  add_norm(Role::kAttentionNorm, layer + "input_layernorm");
  add_norm(Role::kFeedForwardNorm, layer + "post_attention_layernorm");
  const auto add = [&](Role role, const std::string& name, std::int64_t out, std::int64_t in, bool bias,
                       const Slice& slice = {}) {
    specs.push_back({role, name + ".weight", {out, in}, Part::kWeight, Layers::kAll, slice});
    if (bias) specs.push_back({role, name + ".bias", {out}, Part::kBias, Layers::kAll, slice});
  };
  for (std::int64_t part = 0; const Role role : {Role::kQuery, Role::kKey, Role::kValue}) {
    add(role, layer + "attention.query_key_value", 3 * d, d, config.biases.attention,
        {.rows = Slice::Rows::kByHead, .n_parts = 3, .part = part++, .n_heads = config.attention.n_heads});
  }
  add(Role::kAttentionOutput, layer + "attention.dense", d, d, config.biases.attention_output);
  add(Role::kExpertUp, layer + "mlp.dense_h_to_4h", f, d, true);
  add(Role::kExpertDown, layer + "mlp.dense_4h_to_h", d, f, true);
  return specs;
}

}  // namespace

const Family kGptNeox = {"gpt_neox",
                         parse_gpt_neox,
                         weights,
                         {R"(gpt_neox\.layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq))"}};

}  // namespace moescope::model
