// The flags that say which model and on what machine it runs: the same in every command that opens a model.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "moescope/engine/opened_model.h"

namespace moescope::cli {

struct ModelFlags {
  engine::ModelChoice choice;
  machine::MachineOptions machine;
  std::string memory;  // as written, empty: half of what is free
};

// MODEL and --revision; `choice` must outlive the command, as `flags` below.
void add_choice_flags(CLI::App& command, engine::ModelChoice& choice);
// Those, --device, --dtype, --memory and --threads.
void add_model_flags(CLI::App& command, ModelFlags& flags);
// --device and --threads of a command that brings its own model.
void add_device_flags(CLI::App& command, machine::DeviceOptions& device);

// Sizes the process' pool of threads and opens the model. Throws kUsage for --memory, and as OpenedModel::open.
engine::OpenedModel open_model(const ModelFlags& flags);

// Token ids from --text (or --prompt), through the model's tokenizer, or from --ids: "3,1,2". Throws kUsage naming the
// part that is not a whole number, and as OpenedModel::tokenizer.
std::vector<std::int64_t> input_ids(const engine::OpenedModel& model, const std::string& text, const std::string& ids);

}  // namespace moescope::cli
