#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/cli/flags.h"
#include "moescope/io/settings_file.h"

namespace moescope::cli {

std::span<const CommandEntry* const> all_commands() {
  static constexpr std::array kCommands = {&kAnalyze, &kInfo,  &kTokenize, &kGenerate,  &kTrace, &kRecord, &kLabel,
                                           &kReport,  &kProbe, &kCompare,  &kSuperpose, &kTrain, &kToy};
  return kCommands;
}

const CommandEntry& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const CommandEntry* entry : all_commands()) {
    if (name == entry->name) return *entry;
    names.emplace_back(entry->name);
  }
  const std::string nearest = did_you_mean(name, names);
  throw usage_error("unknown command '{}'", name).hint(nearest.empty() ? "moescope --help lists them" : nearest);
}

void run_command(const CommandEntry& entry, const std::vector<std::string>& arguments, const Session& session) {
  const std::unique_ptr<Command> command = entry.make();
  OptionList options(fmt::format("'{}'", entry.name));
  command->describe(options);
  const auto say = [&](const std::string& text) { return with_flags(text, options); };
  try {
    const Arguments given = read_arguments(entry, options, arguments);
    if (given.help) {
      std::fputs(given.help->c_str(), stdout);
      return;
    }
    if (!given.settings_file.empty()) io::read_settings(given.settings_file).apply(options);
    given.set(options);
    options.check();
    Session named = session;
    named.console.line = [&](const std::string& text) { session.console.line(say(text)); };
    command->run(named);
  } catch (const Error& error) {
    throw Error(error.kind(), say(error.what()));
  }
}

}  // namespace moescope::cli
