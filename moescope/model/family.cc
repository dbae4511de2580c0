#include "moescope/model/family.h"

#include <array>
#include <limits>

#include "moescope/base/error.h"
#include "moescope/model/families/common.h"

namespace moescope::model {
namespace {

constexpr std::array<const Family*, 18> kFamilies = {
    &kOlmoe,      &kMixtral, &kQwen2Moe, &kQwen3Moe, &kErnie45Moe, &kGptOss, &kGlm4Moe, &kGlm4MoeLite, &kDeepseekV2,
    &kDeepseekV3, &kGpt2,    &kGptNeox,  &kLlama,    &kOlmo,       &kOlmo2,  &kQwen3,   &kMistral,     &kMinistral3};
constexpr std::int64_t kLargestSize = 1 << 24;  // no dimension of a real model is larger

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void check_size(std::int64_t value, const char* key) {
  if (value < 1 || value > kLargestSize) {
    throw input_error("{} is {}, expected a whole number from 1 to {}", key, value, kLargestSize);
  }
}

void check_groups(const RouterConfig& router) {
  if (router.n_groups == 1) return;
  if (router.n_groups < 1 || router.n_experts % router.n_groups != 0) {
    throw input_error("n_group {} does not divide the number of experts {}", router.n_groups, router.n_experts);
  }
  const std::int64_t group = router.n_experts / router.n_groups;
  if (router.n_groups_chosen < 1 || router.n_groups_chosen > router.n_groups ||
      router.n_groups_chosen * group < router.n_experts_per_token) {
    throw input_error("topk_group {} of n_group {} leaves fewer experts than num_experts_per_tok {}",
                      router.n_groups_chosen, router.n_groups, router.n_experts_per_token);
  }
  if (router.group_score == GroupScore::kSumOfBestTwo && group < 2) {
    throw input_error("n_group {} leaves one expert a group; the score of a group needs two", router.n_groups);
  }
}

void check_config(const ModelConfig& config) {
  check_size(config.d_model, "hidden_size");
  check_size(config.d_expert, "intermediate_size");
  check_size(config.d_vocab, "vocab_size");
  check_size(config.n_layers, "num_hidden_layers");
  check_size(config.n_ctx, "max_position_embeddings");
  if (config.n_further_layers < 0 || config.n_further_layers > config.n_layers) {
    throw input_error("num_nextn_predict_layers is {}, expected 0 to {}", config.n_further_layers, config.n_layers);
  }
  const AttentionConfig& attention = config.attention;
  check_size(attention.n_heads, "num_attention_heads");
  check_size(attention.n_kv_heads, "num_key_value_heads");
  check_size(attention.d_head, "head_dim");
  if (attention.n_heads % attention.n_kv_heads != 0) {
    throw input_error("num_attention_heads {} is not a multiple of num_key_value_heads {}", attention.n_heads,
                      attention.n_kv_heads);
  }
  if (attention.rope.d_rotary % 2 != 0 || attention.rope.d_rotary > attention.d_head) {
    throw input_error("{} entries of a head of {} cannot turn: rotary positions need pairs", attention.rope.d_rotary,
                      attention.d_head);
  }
  for (const std::int64_t window : attention.windows) {
    if (window < 0) throw input_error("sliding_window is {}, expected at least 1, or null", window);
  }
  if (attention.latent) {
    check_size(attention.latent->kv_rank, "kv_lora_rank");
    check_size(attention.latent->d_nope, "qk_nope_head_dim");
    check_size(attention.latent->d_value, "v_head_dim");
    if (attention.latent->q_rank < 0) throw input_error("q_lora_rank is {}", attention.latent->q_rank);
  }
  const RouterConfig& router = config.router;
  check_size(router.n_experts, "num_experts");
  check_size(router.n_experts_per_token, "num_experts_per_tok");
  if (router.n_experts_per_token > router.n_experts) {
    throw input_error("num_experts_per_tok {} is more than num_experts {}", router.n_experts_per_token,
                      router.n_experts);
  }
  check_groups(router);
  if (config.d_shared < 0 || config.d_shared > kLargestSize)
    throw input_error("the shared expert's width is {}", config.d_shared);
  if (config.d_dense != 0) check_size(config.d_dense, "intermediate_size");
  if (!(config.norm_eps > 0)) throw input_error("rms_norm_eps is {}, expected a positive number", config.norm_eps);
  if (!(attention.rope.theta > 0))
    throw input_error("rope_theta is {}, expected a positive number", attention.rope.theta);
  if (attention.clip_qkv && !(*attention.clip_qkv > 0)) {
    throw input_error("clip_qkv is {}, expected a positive number or null", *attention.clip_qkv);
  }
}

}  // namespace

const nlohmann::json* find_key(const nlohmann::json& config, const char* key) {
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

bool WeightSpec::in_layer(const ModelConfig& config, std::int64_t layer) const {
  return layers == Layers::kAll || (layers == Layers::kDense) == config.is_dense(layer);
}

std::string WeightSpec::name(std::int64_t layer, std::int64_t expert) const {
  std::string text = pattern;
  replace_all(text, "{l}", std::to_string(layer));
  replace_all(text, "{e}", std::to_string(expert));
  return text;
}

const Family& find_family(const std::string& model_type) {
  // Kimi K2 (arXiv 2507.20534) is DeepSeek-V3 with other sizes, in its config.json's keys and its tensors' names too.
  const std::string known_as = model_type == "kimi_k2" ? "deepseek_v3" : model_type;
  for (const Family* family : kFamilies) {
    if (known_as == family->model_type) return *family;
  }
  std::string known;
  for (const std::string& name : family_names()) known += (known.empty() ? "" : ", ") + name;
  throw input_error("unknown model family '{}' (model_type); known: {}", model_type, known);
}

std::vector<std::string> family_names() {
  std::vector<std::string> names;
  for (const Family* family : kFamilies) names.emplace_back(family->model_type);
  return names;
}

std::int64_t required_int(const nlohmann::json& config, const char* key) {
  const nlohmann::json* value = find_key(config, key);
  if (value == nullptr) throw input_error("key '{}' is missing", key);
  if (!value->is_number_integer()) throw input_error("key '{}' is {}, expected a whole number", key, value->dump());
  return value->get<std::int64_t>();
}

std::int64_t optional_int(const nlohmann::json& config, const char* key, std::int64_t fallback) {
  return find_key(config, key) == nullptr ? fallback : required_int(config, key);
}

double optional_real(const nlohmann::json& config, const char* key, double fallback) {
  const nlohmann::json* value = find_key(config, key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) throw input_error("key '{}' is {}, expected a number", key, value->dump());
  return value->get<double>();
}

bool optional_bool(const nlohmann::json& config, const char* key, bool fallback) {
  const nlohmann::json* value = find_key(config, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) throw input_error("key '{}' is {}, expected true or false", key, value->dump());
  return value->get<bool>();
}

void require_value(const nlohmann::json& config, const char* key, const nlohmann::json& only_value) {
  const nlohmann::json* value = find_key(config, key);
  if (value != nullptr && *value != only_value) {
    throw input_error("key '{}' is {}, but this family is implemented only for {}", key, value->dump(),
                      only_value.dump());
  }
}

ModelConfig parse_config(const nlohmann::json& config) {
  if (!config.is_object()) throw input_error("not a JSON object");
  const nlohmann::json* model_type = find_key(config, "model_type");
  if (model_type == nullptr || !model_type->is_string()) throw input_error("key 'model_type' is missing");
  const Family& family = find_family(model_type->get<std::string>());
  ModelConfig parsed = family.parse_config(config);
  parsed.family = family.model_type;
  if (const nlohmann::json* eos = find_key(config, "eos_token_id")) {
    for (const nlohmann::json& id : eos->is_array() ? *eos : nlohmann::json::array({*eos})) {
      if (!id.is_number_integer()) throw input_error("key 'eos_token_id' is {}, expected token ids", eos->dump());
      parsed.eos_token_ids.push_back(id.get<std::int64_t>());
    }
  }
  check_config(parsed);
  return parsed;
}

}  // namespace moescope::model
