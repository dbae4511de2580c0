// The flags of commands that load a whole model: trace, generate.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moescope/model/language_model.h"
#include "moescope/text/tokenizer.h"

namespace moescope::cli {

struct ModelFlags {
  std::string model;
  std::string revision = "main";
  std::string device = "cpu";
  std::string dtype = "float32";
  int threads = 0;  // 0: all processors
};

// Adds MODEL, --revision, --device, --dtype, --threads; `flags` must outlive the command.
void add_model_flags(CLI::App& command, ModelFlags& flags);

struct LoadedModel {
  io::CheckpointFolder folder;
  std::unique_ptr<model::Checkpoint> checkpoint;
  std::unique_ptr<model::LanguageModel> model;

  // Throws kInput if the folder has no tokenizer.json, or one whose vocabulary is larger than the embedding.
  text::Tokenizer tokenizer() const;
};
LoadedModel load_model(const ModelFlags& flags);

// "3,1,2" -> ids; throws kUsage naming the part that is not a whole number.
std::vector<std::int64_t> parse_ids(const std::string& text);

}  // namespace moescope::cli
