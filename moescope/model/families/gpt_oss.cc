// gpt-oss (OpenAI 2025, arXiv 2508.10925): top-k before softmax, a bias on every product, clamped gates with gate and
// up interleaved, attention sinks, sliding windows in every other layer, YaRN. Released in MXFP4. Reference:
// transformers' modeling_gpt_oss.py.
#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

ModelConfig parse_gpt_oss(const nlohmann::json& config) {
  if (find_key(config, "rope_parameters") == nullptr && find_key(config, "rope_scaling") == nullptr) {
    throw input_error("keys 'rope_parameters' and 'rope_scaling' are missing");
  }
  require_value(config, "hidden_act", "silu");
  ModelConfig parsed =
      parse_decoder(config, {.n_ctx = 131072, .norm_eps = 1e-5, .rope_theta = 150000.0, .n_kv_heads = 8, .d_head = 64});
  parsed.norm = NormKind::kRmsRoundedLater;
  parsed.biases.attention = parsed.biases.attention_output = optional_bool(config, "attention_bias", true);
  parsed.attention.sinks = true;
  const std::int64_t window = optional_int(config, "sliding_window", 128);
  parsed.attention.windows = parse_layer_types(config, parsed.n_layers, window);
  if (parsed.attention.windows.empty()) {
    for (std::int64_t l = 0; l < parsed.n_layers; ++l) parsed.attention.windows.push_back(l % 2 == 0 ? window : 0);
  }
  parsed.d_expert = required_int(config, "intermediate_size");
  parsed.expert.clamped = {optional_real(config, "swiglu_alpha", 1.702), optional_real(config, "swiglu_limit", 7.0)};
  parsed.router.n_experts = optional_int(config, "num_local_experts", 128);
  parsed.router.n_experts_per_token =
      optional_int(config, "num_experts_per_tok", optional_int(config, "experts_per_token", 4));
  parsed.router.scoring = Scoring::kSoftmaxOfChosen;
  return parsed;
}

std::vector<WeightSpec> weights(const ModelConfig& config, const HasTensor& has) {
  std::vector<WeightSpec> specs = decoder_weights(config);
  add_layer_norms(specs, config);
  const std::string layer = "model.layers.{l}.";
  specs.push_back({Role::kSinks, layer + "self_attn.sinks", {config.attention.n_heads}});
  const std::int64_t n_experts = config.router.n_experts, d = config.d_model, f = config.d_expert;
  specs.push_back({Role::kRouter, layer + "mlp.router.weight", {n_experts, d}});
  specs.push_back({Role::kRouter, layer + "mlp.router.bias", {n_experts}, Part::kBias});
  // Plain weights are stored as [in, out], packed ones as [out, in].
  const std::string both = layer + "mlp.experts.gate_up_proj", down = layer + "mlp.experts.down_proj";
  const bool packed = has("model.layers.0.mlp.experts.gate_up_proj_blocks");
  const Encoding encoding = packed ? Encoding::kMxfp4 : Encoding::kPlain;
  const auto shape = [&](std::int64_t out, std::int64_t in) {
    return packed ? std::vector{n_experts, out, in} : std::vector{n_experts, in, out};
  };
  for (std::int64_t part = 0; const Role role : {Role::kExpertGate, Role::kExpertUp}) {
    const Slice slice{
        .stacked = true, .transposed = !packed, .rows = Slice::Rows::kInterleaved, .n_parts = 2, .part = part++};
    specs.push_back({role, both, shape(2 * f, d), Part::kWeight, Layers::kAll, slice, encoding});
    specs.push_back({role, both + "_bias", {n_experts, 2 * f}, Part::kBias, Layers::kAll, slice});
  }
  const Slice slice{.stacked = true, .transposed = !packed};
  specs.push_back({Role::kExpertDown, down, shape(d, f), Part::kWeight, Layers::kAll, slice, encoding});
  specs.push_back({Role::kExpertDown, down + "_bias", {n_experts, d}, Part::kBias, Layers::kAll, slice});
  return specs;
}

}  // namespace

const Family kGptOss = {"gpt_oss", parse_gpt_oss, weights};

}  // namespace moescope::model
