// GPT-2 (Radford et al. 2019): learned positions, LayerNorm, GELU, biases everywhere, weights stored as [in, out], one
// tensor for queries, keys and values. Names come with and without the prefix "transformer.".
// Reference: transformers' modeling_gpt2.py.
#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_gpt2(const nlohmann::json& config) {
  require_value(config, "add_cross_attention", false);
  ModelConfig parsed;
  parsed.d_model = required_int(config, "n_embd");
  parsed.d_vocab = required_int(config, "vocab_size");
  parsed.n_layers = required_int(config, "n_layer");
  parsed.n_ctx = optional_int(config, "n_positions", 1024);
  parsed.norm = NormKind::kLayerNorm;
  parsed.norm_eps = optional_real(config, "layer_norm_epsilon", 1e-5);
  parsed.learned_positions = true;
  parsed.tie_embeddings = optional_bool(config, "tie_word_embeddings", true);
  AttentionConfig& attention = parsed.attention;
  attention.n_heads = attention.n_kv_heads = required_int(config, "n_head");
  if (attention.n_heads < 1 || parsed.d_model % attention.n_heads != 0) {
    throw input_error("n_embd {} is not a multiple of n_head {}", parsed.d_model, attention.n_heads);
  }
  attention.d_head = parsed.d_model / attention.n_heads;
  if (!optional_bool(config, "scale_attn_weights", true)) attention.scale = 1.0;
  attention.scale_by_layer = optional_bool(config, "scale_attn_by_inverse_layer_idx", false);
  parsed.expert.gated = false;
  parsed.expert.activation = parse_activation(config, "activation_function", "gelu_new");
  parsed.biases = {true, true, true};
  make_dense(parsed, optional_int(config, "n_inner", 4 * parsed.d_model));
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  const std::int64_t d = config.d_model, f = config.d_expert;
  const std::string prefix = has("wte.weight") ? "" : "transformer.";
  const std::string layer = prefix + "h.{l}.";
  std::vector<WeightSpec> specs = {{Role::kTokenEmbedding, prefix + "wte.weight", {config.d_vocab, d}},
                                   {Role::kPositionEmbedding, prefix + "wpe.weight", {config.n_ctx, d}}};
  const auto add_norm = [&](Role role, const std::string& name) {
    specs.push_back({role, name + ".weight", {d}});
    specs.push_back({role, name + ".bias", {d}, Part::kBias});
  };
  add_norm(Role::kFinalNorm, prefix + "ln_f");
  add_norm(Role::kAttentionNorm, layer + "ln_1");
  add_norm(Role::kFeedForwardNorm, layer + "ln_2");
  const auto add = [&](Role role, const std::string& name, std::int64_t in, std::int64_t out, Slice slice = {}) {
    slice.transposed = true;
    specs.push_back({role, name + ".weight", {in, out}, Part::kWeight, Layers::kAll, slice});
    specs.push_back({role, name + ".bias", {out}, Part::kBias, Layers::kAll, slice});
  };
  for (std::int64_t part = 0; const Role role : {Role::kQuery, Role::kKey, Role::kValue}) {
    add(role, layer + "attn.c_attn", d, 3 * d, {.rows = Slice::Rows::kBlocks, .n_parts = 3, .part = part++});
  }
  add(Role::kAttentionOutput, layer + "attn.c_proj", d, d);
  add(Role::kExpertUp, layer + "mlp.c_fc", d, f);
  add(Role::kExpertDown, layer + "mlp.c_proj", f, d);
  if (!config.tie_embeddings) specs.push_back({Role::kUnembedding, "lm_head.weight", {config.d_vocab, d}});
  return specs;
}

}  // namespace

const Family kGpt2 = {"gpt2", parse_gpt2, weights, {R"((transformer\.)?h\.\d+\.attn\.(masked_)?bias)"}};

}  // namespace moescope::model
