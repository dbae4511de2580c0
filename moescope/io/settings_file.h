// Settings files: TOML whose keys are the names of options (base/options.h), in which '-' and '_' are alike.
//
// A value is a truth value, a number, a text, or a list of these. Tables are of use only to those who ask for them:
// [[name]] may stand for several structs of options of one kind. Non-goals: writing TOML, dates, nested lists.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "moescope/base/options.h"

namespace moescope::io {

struct Setting {
  std::string key;  // as written
  OptionValue value;
  std::int64_t line = 0;
};

// What stands on top of a file, or in one [[name]] of it.
struct SettingsTable {
  std::string file;
  std::vector<Setting> settings;  // in the order of the file
  // Every [[name]]; those of one name in the order of the file.
  std::vector<std::pair<std::string, SettingsTable>> tables;
  std::int64_t line = 0;

  // Sets the options that the table names. Throws kInput naming file, line and key: a key that is no option (with the
  // nearest that is one), a value that does not fit, a [[name]] that is not among `known_tables`.
  void apply(OptionList& options, const std::vector<std::string_view>& known_tables = {}) const;
};

// Throws kInput naming file and line: a file that is missing, not TOML or over kMaxSettingsBytes, a value of a kind
// that no option has.
SettingsTable read_settings(const std::filesystem::path& path);

inline constexpr std::int64_t kMaxSettingsBytes = 1 << 26;

}  // namespace moescope::io
