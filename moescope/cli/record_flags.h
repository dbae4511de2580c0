// The flags of a recording, shared by `record` and `analyze`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "moescope/cli/model_flags.h"
#include "moescope/record/record.h"

namespace moescope::cli {

struct RecordFlags {
  ModelFlags model;
  record::RecordOptions options;
  std::string settings;  // file
};

// Adds MODEL, CORPUS, --out and all settings; `flags` must outlive the command.
void add_record_flags(CLI::App& command, RecordFlags& flags);
}  // namespace moescope::cli
