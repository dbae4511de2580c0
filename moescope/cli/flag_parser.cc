#include <CLI/CLI.hpp>
#include <algorithm>
#include <set>

#include "moescope/base/error.h"
#include "moescope/cli/flag_help.h"
#include "moescope/cli/flags.h"

namespace moescope::cli {
namespace {

constexpr const char* kSettings = "settings";

class Parser {
 public:
  Parser(const CommandEntry& entry, const OptionList& options) : name_(entry.name) {
    app_.description(entry.summary);
    app_.name(std::string("moescope ") + entry.name);
    app_.footer(entry.footer);
    app_.allow_extras();
    for (const Option& option : options) add(option);
    app_.formatter(std::make_shared<HelpLayout>(options));
    if (options.find(kSettings) != nullptr) return;  // a settings file of the command's own
    settings_ = app_.add_option("--settings", ignore_, "TOML file with these options; flags win over it");
    settings_->option_text("PATH")->expected(1)->allow_extra_args(false)->multi_option_policy(
        CLI::MultiOptionPolicy::TakeAll);
    names_.emplace_back(kSettings);
    valued_.insert("--settings");
  }

  Arguments read(const std::vector<std::string>& arguments) {
    Arguments result;
    std::vector<std::string> words = checked(arguments);
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    try {
      app_.parse(words);
    } catch (const CLI::CallForHelp&) {
      for (CLI::Option* option : required_) option->required();  // a settings file may give them too
      result.help = app_.help();
      return result;
    } catch (const CLI::ParseError& error) {
      throw usage_error("{}", error.what());
    }
    for (const std::string& extra : app_.remaining()) throw unexpected(extra);
    for (const auto& [name, option] : given_) {
      if (option->count() > 0) result.texts[name] = option->results();
    }
    if (settings_ != nullptr && settings_->count() > 0) {
      if (settings_->count() > 1) throw usage_error("--settings takes one value, not {}", settings_->count());
      result.settings_file = settings_->results().front();
    }
    return result;
  }

 private:
  void add(const Option& option) {
    CLI::Option* flag = nullptr;
    if (option.kind() == OptionKind::kBool) {
      const std::string names = "--" + option.name() + (has_opposite(option) ? ",!--no-" + option.name() : "");
      flag = app_.add_flag(names)->description(help_text(option));
    } else {
      flag = app_.add_option(flag_of(option), ignore_, help_text(option));
      flag->option_text(value_text(option));
      if (!option.is_list()) flag->expected(1)->allow_extra_args(false);
      if (option.notes().positional && option.notes().required) required_.push_back(flag);
      valued_.insert("--" + option.name());
    }
    flag->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    if (!option.group().empty()) flag->group(option.group());
    given_.emplace_back(option.name(), flag);
    if (!option.notes().positional) names_.push_back(option.name());
  }

  // What CLI11 leaves open: a flag that follows is not the value that is missing, and "--loss false" is "--loss=false".
  std::vector<std::string> checked(const std::vector<std::string>& arguments) const {
    std::vector<std::string> words;
    for (auto word = arguments.begin(); word != arguments.end(); ++word) {
      if (*word == "--") {
        words.insert(words.end(), word, arguments.end());
        break;
      }
      const auto next = std::next(word);
      const std::size_t equals = word->find('=');
      if (equals != std::string::npos && valued_.contains(word->substr(0, equals))) {
        words.insert(words.end(), {word->substr(0, equals), word->substr(equals + 1)});
      } else if (valued_.contains(*word)) {
        if (next == arguments.end() || is_flag(next->substr(0, next->find('=')))) {
          throw without_value(*word);
        }
        words.insert(words.end(), {*word, *next});
        word = next;
      } else if (word->ends_with("=") && is_flag(word->substr(0, equals))) {
        throw without_value(word->substr(0, equals));
      } else if (is_flag(*word) && next != arguments.end() && (*next == "true" || *next == "false")) {
        words.push_back(*word + "=" + *next);
        word = next;
      } else {
        words.push_back(*word);
      }
    }
    return words;
  }

  bool is_flag(const std::string& word) const {
    if (word == "-h" || word == "--help") return true;
    if (!word.starts_with("--")) return false;
    const std::string name = word.substr(2);
    const auto known = [&](const std::string& other) {
      return std::find(names_.begin(), names_.end(), other) != names_.end();
    };
    return known(name) ||
           (name.starts_with("no-") && known(name.substr(3)) && !valued_.contains("--" + name.substr(3)));
  }

  Error without_value(const std::string& flag) const {
    return usage_error("option '{}' of '{}' needs a value", flag, name_);
  }

  Error unexpected(const std::string& word) const {
    if (!word.starts_with("-") || word == "-") return usage_error("unexpected argument '{}' of '{}'", word, name_);
    const std::string flag = word.substr(0, word.find('='));
    const Error error = usage_error("unknown option '{}' of '{}'", flag, name_);
    const std::string nearest = did_you_mean(flag.substr(flag.find_first_not_of('-')), names_, "--");
    return error.hint(nearest.empty() ? fmt::format("moescope {} --help lists them", name_) : nearest);
  }

  std::string name_;
  CLI::App app_;
  std::vector<std::string> ignore_;  // CLI11 wants a variable; results() has the same
  CLI::Option* settings_ = nullptr;
  std::vector<std::pair<std::string, CLI::Option*>> given_;
  std::vector<CLI::Option*> required_;  // positionals
  std::vector<std::string> names_;      // of flags, without dashes
  std::set<std::string> valued_;        // flags that need a value
};

}  // namespace

Arguments read_arguments(const CommandEntry& entry, const OptionList& options,
                         const std::vector<std::string>& arguments) {
  return Parser(entry, options).read(arguments);
}

}  // namespace moescope::cli
