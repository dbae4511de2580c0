// How --help shows an option.
#pragma once

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "moescope/base/options.h"

namespace moescope::cli {

// "--trace-tokens", or "MODEL" for a positional one.
std::string flag_of(const Option& option);
// Truth values may also be given as --no-NAME, but for those whose name says no already.
bool has_opposite(const Option& option);
// Behind the name: "N=40", "PATH REQUIRED", "N=1,2 ...".
std::string value_text(const Option& option);
// What it is for, its default if that is yes, its range.
std::string help_text(const Option& option);

// Flags stand as a user needs them: --no-NAME first where NAME is the default, --NAME alone where it is not.
class HelpLayout : public CLI::Formatter {
 public:
  explicit HelpLayout(const OptionList& options);
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override;

 private:
  std::set<std::string> true_names_;  // of options that are yes by default
};

}  // namespace moescope::cli
