#include "moescope/cli/flag_help.h"

#include <cctype>

namespace moescope::cli {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

bool is_true(const Option& option) {
  return option.kind() == OptionKind::kBool && std::get<bool>(option.value().items.front());
}

// What stands for the value in --help.
std::string value_word(const Option& option) {
  if (!option.notes().unit.empty()) return upper(option.notes().unit);
  switch (option.kind()) {
    case OptionKind::kBool: return "";
    case OptionKind::kInteger: return "N";
    case OptionKind::kReal: return "NUMBER";
    case OptionKind::kBytes: return "BYTES";
    case OptionKind::kText: return "TEXT";
    case OptionKind::kPath: return "PATH";
    case OptionKind::kWord: return "WORD";
    case OptionKind::kNumberByName: return "NAME=NUMBER";
  }
  return "";
}

std::string default_text(const Option& option) {
  std::vector<std::string> items;
  for (const OptionItem& item : option.value().items) items.push_back(written(item));
  return fmt::format("{}", fmt::join(items, ","));
}

}  // namespace

std::string flag_of(const Option& option) {
  return option.notes().positional ? upper(option.name()) : "--" + option.name();
}

bool has_opposite(const Option& option) {
  return option.kind() == OptionKind::kBool && !option.name().starts_with("no-");
}

std::string value_text(const Option& option) {
  std::string text = value_word(option);
  const std::string value = default_text(option);
  if (!value.empty()) text += "=" + value;
  if (option.is_list()) text += " ...";
  if (option.notes().required && value.empty()) text += " REQUIRED";
  return text;
}

std::string help_text(const Option& option) {
  std::string text = option.help();
  if (is_true(option)) text += " (default: yes)";
  const OptionNotes& notes = option.notes();
  const bool is_narrow = notes.above || notes.most || notes.below || !notes.words.empty();
  if (is_narrow) text += " (" + option.range_text() + ")";
  if (!notes.excludes.empty()) text += " (not with --" + notes.excludes + ")";
  return text;
}

HelpLayout::HelpLayout(const OptionList& options) {
  for (const Option& option : options) {
    if (is_true(option)) true_names_.insert(option.name());
  }
}

std::string HelpLayout::make_option_name(const CLI::Option* option, bool is_positional) const {
  if (is_positional || option->get_lnames().size() < 2) return Formatter::make_option_name(option, is_positional);
  const std::string name = option->get_lnames().front();
  return true_names_.contains(name) ? fmt::format("--no-{0},--{0}", name) : "--" + name;
}

}  // namespace moescope::cli
