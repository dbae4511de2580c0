// Finds a model: a folder with config.json, or `org/name` in the Hugging Face cache (HF_HUB_CACHE, HF_HOME/hub,
// XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub; models--org--name/refs/REVISION, snapshots/HASH). A
// folder comes before a name of the cache, as in transformers. Downloads nothing. Source:
// https://huggingface.co/docs/huggingface_hub/guides/manage-cache
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

// `revision`: a branch, a tag, or the full hash of a commit. Throws kInput: neither a folder nor in the cache (the
// message gives the command that fetches it), a revision of a plain folder, no config.json, a file whose download is
// incomplete.
CheckpointFolder find_checkpoint(const std::string& model, const std::string& revision = "main");

// Throws kInput if the checkpoint has no safetensors weights, naming weights of other formats that it has.
void require_weights(const CheckpointFolder& checkpoint);

// Where models of the Hugging Face cache lie, by the environment; empty without a home folder.
std::filesystem::path hugging_face_cache();

// Parses a JSON file; throws kInput with file, line and column.
nlohmann::json read_json(const std::filesystem::path& path);

// Hash of config, tokenizer and weights by names, sizes and content (headers and samples of the data are not enough:
// every byte is read). Where the folder lies does not matter. `with_weights` false hashes config and tokenizer only.
std::string checkpoint_hash(const CheckpointFolder& checkpoint, bool with_weights = true);

}  // namespace moescope::io
