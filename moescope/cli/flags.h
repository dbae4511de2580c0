// Options as the command line writes them: --name VALUE, or in place of its name for a positional one. Made from the
// description of the options alone (base/options.h); CLI11 splits the arguments and lays out --help.
//
// A list takes several values behind its flag; those of numbers and words may also stand in one, between commas. A
// truth value is --name or --no-name.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/options.h"
#include "moescope/cli/command.h"

namespace moescope::cli {

struct Arguments {
  std::optional<std::string> help;  // asked for: print it and do nothing else
  std::filesystem::path settings_file;
  std::map<std::string, std::vector<std::string>> texts;  // by option, as written

  // Throws kUsage as Option::set_texts.
  void set(OptionList& options) const;
};

// Throws kUsage, always one line: an unknown flag (with the nearest), a flag without its value or given twice, an
// argument too many.
Arguments read_arguments(const CommandEntry& entry, const OptionList& options,
                         const std::vector<std::string>& arguments);

// `text` of the library with options named as flags: "option 'tokens'" becomes "--tokens", or MODEL for a positional.
std::string with_flags(const std::string& text, const OptionList& options);

}  // namespace moescope::cli
