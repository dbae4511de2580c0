// A family is one architecture: how its config.json reads and how its checkpoint names its tensors.
// Each stands in one file under families/, family.cc lists them. docs/howto-add-family.md walks through adding one.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/model/config.h"

namespace moescope::model {

// What a tensor is for, whatever a checkpoint calls it.
enum class Role {
  kTokenEmbedding,     // [V, D]
  kFinalNorm,          // [D]
  kUnembedding,        // [V, D]; absent with tied embeddings
  kInputNorm,          // [D]
  kPostAttentionNorm,  // [D]
  kQuery,              // [H * d_head, D]
  kKey,                // [H_kv * d_head, D]
  kValue,              // [H_kv * d_head, D]
  kAttentionOutput,    // [D, H * d_head]
  kQueryNorm,          // [H * d_head]
  kKeyNorm,            // [H_kv * d_head]
  kRouter,             // [E, D]
  kExpertGate,         // [F, D], one an expert
  kExpertUp,           // [F, D], one an expert
  kExpertDown,         // [D, F], one an expert
};

// One row of a family's table of weight names.
struct WeightSpec {
  Role role;
  std::string pattern;              // "model.layers.{l}.mlp.experts.{e}.up_proj.weight"
  std::vector<std::int64_t> shape;  // expected

  bool per_layer() const { return pattern.find("{l}") != std::string::npos; }
  bool per_expert() const { return pattern.find("{e}") != std::string::npos; }
  std::string name(std::int64_t layer = 0, std::int64_t expert = 0) const;
};

struct Family {
  const char* model_type;
  // Throws kInput naming the key that is missing, contradictory or not supported.
  ModelConfig (*parse_config)(const nlohmann::json& config);
  std::vector<WeightSpec> (*weights)(const ModelConfig& config);
  // config.json for transformers, from a model trained here.
  nlohmann::json (*write_config)(const ModelConfig& config);
};

// Throws kInput naming the unknown model_type and the known ones.
const Family& find_family(const std::string& model_type);
std::vector<std::string> family_names();

// Reads model_type, then lets the family read the rest, then checks the numbers against each other.
ModelConfig parse_config(const nlohmann::json& config);

// For families: a required or optional key with its type checked; errors name the key.
std::int64_t required_int(const nlohmann::json& config, const char* key);
std::int64_t optional_int(const nlohmann::json& config, const char* key, std::int64_t fallback);
double optional_real(const nlohmann::json& config, const char* key, double fallback);
bool optional_bool(const nlohmann::json& config, const char* key, bool fallback);
// Refuses a key whose value would change the arithmetic in a way the family does not know.
void require_value(const nlohmann::json& config, const char* key, const nlohmann::json& only_value);

extern const Family kOlmoe;

}  // namespace moescope::model
