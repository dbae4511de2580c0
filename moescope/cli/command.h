// The commands of the program: a file each, which says what its options are and calls the library.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "moescope/base/options.h"
#include "moescope/base/progress.h"
#include "moescope/run/run_directory.h"

namespace moescope::cli {

// What every command gets from main: where to speak, and what was called. stdout is for data only.
struct Session {
  Console console;
  run::Invocation invocation;  // for run.json
};

// Owns the options of one call. Every command takes also the option `settings`, a file (run_command).
class Command {
 public:
  virtual ~Command() = default;
  virtual void describe(OptionList& list) = 0;
  virtual void run(const Session& session) = 0;
};

struct CommandEntry {
  const char* name;
  const char* summary;
  const char* footer;  // behind --help: an example
  std::unique_ptr<Command> (*make)();
};

template <typename OneCommand>
std::unique_ptr<Command> make() {
  return std::make_unique<OneCommand>();
}

extern const CommandEntry kAnalyze, kInfo, kTokenize, kGenerate, kTrace, kRecord, kLabel, kReport, kProbe, kCompare,
    kSuperpose, kTrain, kToy;

// In the order of --help.
std::span<const CommandEntry* const> all_commands();
// Throws kUsage, with the nearest name.
const CommandEntry& find_command(const std::string& name);

// Default < settings file < flag; then runs the command. --help prints instead. Throws kUsage for arguments that the
// command does not take, kInput for a settings file that is wrong, and what the command throws; options are named as
// flags in all of it.
void run_command(const CommandEntry& entry, const std::vector<std::string>& arguments, const Session& session);

}  // namespace moescope::cli
