#include "moescope/cli/flags.h"

#include <algorithm>

#include "moescope/cli/flag_help.h"

namespace moescope::cli {
namespace {

std::vector<std::string> split_at_commas(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      parts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

}  // namespace

void Arguments::set(OptionList& options) const {
  for (Option& option : options) {
    const auto given = texts.find(option.name());
    if (given == texts.end()) continue;
    const bool has_commas = option.is_list() && option.kind() != OptionKind::kPath;
    option.set_texts(has_commas ? split_at_commas(given->second) : given->second);
  }
}

std::string with_flags(const std::string& text, const OptionList& options) {
  return rename_options(text, [&](const std::string& name) {
    const Option* option = options.find(name);
    return option != nullptr ? flag_of(*option) : option_name(name);
  });
}

}  // namespace moescope::cli
