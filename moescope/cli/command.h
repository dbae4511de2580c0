// One entry of the command table: a file of its own describes flags, defaults and help with CLI11 and runs the library.
#pragma once

#include <CLI/CLI.hpp>

#include "moescope/base/progress.h"
#include "moescope/run/run_directory.h"

namespace moescope::cli {

// What every command gets from main: where to speak, and what was called. stdout is for data only.
struct Session {
  Console console;
  run::Invocation invocation;  // for run.json
};

// Adds flags to `command` and sets its callback. Called once at start; must be cheap.
using AddCommand = void (*)(CLI::App& command, const Session& session);

struct CommandEntry {
  const char* name;
  const char* summary;
  AddCommand add;
};

void add_info(CLI::App& command, const Session& session);
void add_tokenize(CLI::App& command, const Session& session);
void add_generate(CLI::App& command, const Session& session);
void add_trace(CLI::App& command, const Session& session);
void add_record(CLI::App& command, const Session& session);
void add_label(CLI::App& command, const Session& session);
void add_report(CLI::App& command, const Session& session);
void add_analyze(CLI::App& command, const Session& session);
void add_probe(CLI::App& command, const Session& session);
void add_compare(CLI::App& command, const Session& session);
void add_train(CLI::App& command, const Session& session);
void add_toy(CLI::App& command, const Session& session);
void add_superpose(CLI::App& command, const Session& session);

}  // namespace moescope::cli
