// The flags of a recording, shared by `record` and `analyze`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "moescope/record/record.h"

namespace moescope::cli {

struct RecordFlags {
  record::RecordOptions options;
  std::string memory;    // as written, empty: half of what is free
  std::string settings;  // file
};

// Adds MODEL, CORPUS, --out and all settings; `flags` must outlive the command.
void add_record_flags(CLI::App& command, RecordFlags& flags);
// Reads the settings file and the flags that need a second look, such as --memory. Throws kUsage and kInput.
record::RecordOptions finish(CLI::App& command, RecordFlags& flags);

}  // namespace moescope::cli
