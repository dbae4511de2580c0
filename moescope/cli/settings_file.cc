#include "moescope/cli/settings_file.h"

#include <filesystem>

#include "moescope/base/error.h"

namespace moescope::cli {
namespace {

std::vector<CLI::ConfigItem> read_items(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) throw input_error("{}: no such settings file", path);
  try {
    return CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& error) {
    throw input_error("{}: {}", path, error.what());
  }
}

void apply(CLI::App& command, const CLI::ConfigItem& item) {
  CLI::Option* option = command.get_option_no_throw("--" + item.name);
  if (option == nullptr || !item.parents.empty() || item.name == "settings") {
    throw input_error("'{}' is not a setting of '{}'", item.fullname(), command.get_name())
        .hint("moescope " + command.get_name() + " --help lists them");
  }
  if (option->count() > 0) return;  // the flag wins
  try {
    if (option->get_expected_max() == 0) {
      option->add_result(option->get_flag_value("--" + item.name, item.inputs.empty() ? "true" : item.inputs.front()));
    } else {
      option->add_result(item.inputs);
    }
    option->run_callback();
  } catch (const CLI::Error& error) {
    throw input_error("setting '{}': {}", item.name, error.what());
  }
}

}  // namespace

void apply_settings_file(CLI::App& command, const std::string& path) {
  if (path.empty()) return;
  for (const CLI::ConfigItem& item : read_items(path)) {
    try {
      apply(command, item);
    } catch (const Error& error) {
      throw error.at(path);
    }
  }
}

}  // namespace moescope::cli
