// Finds a model: a folder with config.json, or `org/name` in the Hugging Face cache (HF_HUB_CACHE, HF_HOME, or
// ~/.cache/huggingface; models--org--name/refs/REVISION, snapshots/HASH). Downloads nothing.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "moescope/io/safetensors.h"

namespace moescope::io {

struct CheckpointFolder {
  std::string name;  // as asked for
  std::filesystem::path folder;
  std::filesystem::path config_json;             // exists
  std::filesystem::path tokenizer_json;          // empty if absent
  std::filesystem::path weights;                 // model.safetensors or model.safetensors.index.json; empty if absent
  std::filesystem::path generation_config_json;  // empty if absent
};

// Throws kInput: neither a folder nor in the cache (the message gives the command that fetches it), no config.json.
CheckpointFolder find_checkpoint(const std::string& model, const std::string& revision = "main");

// Parses a JSON file; throws kInput with file, line and column.
nlohmann::json read_json(const std::filesystem::path& path);

// Hash of config, tokenizer and weights (sizes and content of the headers and samples of the data are not enough:
// every byte is read). `with_weights` false hashes config and tokenizer only.
std::string checkpoint_hash(const CheckpointFolder& checkpoint, bool with_weights = true);

}  // namespace moescope::io
