// A settings file for a command: TOML whose keys are the command's long flags without dashes. Default < file < flag.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace moescope::cli {

// Gives every option that was not set on the command line its value from the file. Call first in a command's callback.
// Throws kInput naming file and key for an unknown key or a value that does not fit; "" does nothing.
void apply_settings_file(CLI::App& command, const std::string& path);

}  // namespace moescope::cli
