// A family is one architecture: how its config.json reads and how its checkpoint names its tensors.
// Each stands in one file under families/, family.cc lists them. docs/howto-add-family.md walks through adding one.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/model/config.h"

namespace moescope::model {

// What a tensor is for, whatever a checkpoint calls it. Weights of products are [out, in].
enum class Role {
  kTokenEmbedding,      // [V, D]
  kPositionEmbedding,   // [n_ctx, D]
  kFinalNorm,           // [D]
  kUnembedding,         // [V, D]; absent with tied embeddings
  kAttentionNorm,       // [D], before attention (behind it with LayerOrder::kPostNorm)
  kFeedForwardNorm,     // [D], likewise
  kQuery,               // [H * d_head, D]
  kKey,                 // [H_kv * d_head, D]
  kValue,               // [H_kv * d_head, D]
  kAttentionOutput,     // [D, H * d_value]
  kQueryNorm,           // [H * d_head], or [d_head] with QkNorm::kPerHead
  kKeyNorm,             // [H_kv * d_head], likewise
  kSinks,               // [H]
  kQueryDown,           // [q_rank, D]
  kQueryLatentNorm,     // [q_rank]
  kQueryUp,             // [H * d_head, q_rank]
  kKeyValueDown,        // [kv_rank + d_rotary, D]
  kKeyValueLatentNorm,  // [kv_rank]
  kKeyValueUp,          // [H * (d_nope + d_value), kv_rank]
  kRouter,              // [E, D]
  kSelectionBias,       // [E], added to the scores for choosing only
  kExpertGate,          // [F, D], one an expert; in dense layers one
  kExpertUp,            // [F, D]
  kExpertDown,          // [D, F]
  kSharedGate,          // [Fs, D]
  kSharedUp,            // [Fs, D]
  kSharedDown,          // [D, Fs]
  kSharedRouter,        // [1, D], its sigmoid weights the shared expert
};

enum class Part { kWeight, kBias };

enum class Layers { kAll, kDense, kSparse };

// How a weight lies inside a stored tensor, in the order in which it is taken out.
struct Slice {
  enum class Rows {
    kAll,
    kBlocks,       // rows [part * n / n_parts, (part + 1) * n / n_parts)
    kInterleaved,  // rows part, part + n_parts, ...
    kByHead,       // as blocks inside each of n_heads runs of rows
  };
  bool stacked = false;     // the first dimension counts experts
  bool transposed = false;  // stored as [in, out]
  Rows rows = Rows::kAll;
  std::int64_t n_parts = 1, part = 0, n_heads = 1;
};

// Number formats that are not plain numbers of a tensor's dtype.
enum class Encoding {
  kPlain,
  kMxfp4,  // PATTERN_blocks [..., n/32, 16] u8 with two 4-bit numbers a byte, PATTERN_scales [..., n/32] u8
};

// One row of a family's table of weight names.
struct WeightSpec {
  Role role;
  std::string pattern;              // "model.layers.{l}.mlp.experts.{e}.up_proj.weight"
  std::vector<std::int64_t> shape;  // of the stored tensor, decoded
  Part part = Part::kWeight;
  Layers layers = Layers::kAll;
  Slice slice = {};
  Encoding encoding = Encoding::kPlain;

  bool per_layer() const { return pattern.find("{l}") != std::string::npos; }
  bool per_expert() const { return pattern.find("{e}") != std::string::npos; }
  bool in_layer(const ModelConfig& config, std::int64_t layer) const;
  std::string name(std::int64_t layer = 0, std::int64_t expert = 0) const;
};

// Whether a checkpoint holds a tensor: families whose checkpoints come in several layouts look before they answer.
using HasTensor = std::function<bool(const std::string& name)>;
inline bool no_names(const std::string&) { return false; }

struct Family {
  const char* model_type;
  // Throws kInput naming the key that is missing, contradictory or not supported.
  ModelConfig (*parse_config)(const nlohmann::json& config);
  std::vector<WeightSpec> (*weights)(const ModelConfig& config, const HasTensor& has);
  // Regular expressions (ECMAScript, whole names) of tensors that checkpoints carry and no forward pass reads.
  std::vector<std::string> unused = {};
  // config.json for transformers, from a model trained here; null where that is not possible.
  nlohmann::json (*write_config)(const ModelConfig& config) = nullptr;
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
const nlohmann::json* find_key(const nlohmann::json& config, const char* key);  // null: absent or null

}  // namespace moescope::model
