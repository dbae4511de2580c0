// Wrong use of every command and every option, made from their descriptions: exit code 2, one line, the option's name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/cli/flags.h"

namespace moescope::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string name_of(const testing::TestParamInfo<const CommandEntry*>& entry) { return entry.param->name; }

bool is_empty(const OptionValue& value) {
  return value.items.empty() || value.items.front() == OptionItem(std::string());
}

class Usage : public ::testing::TestWithParam<const CommandEntry*> {
 protected:
  Usage() : command_(GetParam()->make()) { command_->describe(options_); }

  // Arguments that the command takes, of which none leads anywhere.
  std::vector<std::string> right_ones() const {
    std::vector<std::string> arguments;
    for (const Option& option : options_) {
      if (!option.notes().required || !is_empty(option.value())) continue;
      if (!option.notes().positional) arguments.push_back("--" + option.name());
      arguments.emplace_back("/no/such/thing");
    }
    return arguments;
  }

  std::string error_with(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = right_ones();
    arguments.insert(arguments.end(), more.begin(), more.end());
    try {
      run_command(*GetParam(), arguments, Session());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage) << error.what();
      const std::string what = error.what();
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
      return what;
    }
    return "no error";
  }

  std::vector<const Option*> flags() const {
    std::vector<const Option*> flags;
    for (const Option& option : options_) {
      if (!option.notes().positional) flags.push_back(&option);
    }
    return flags;
  }

  std::unique_ptr<Command> command_;
  OptionList options_;
};

TEST_P(Usage, MisspeltFlagsAreToldWithTheNearestName) {
  for (const Option* option : flags()) {
    std::string wrong = "--" + option->name() + "q";
    EXPECT_EQ(error_with({wrong, "1"}), fmt::format("unknown option '{}' of '{}' (did you mean '--{}'?)", wrong,
                                                    GetParam()->name, option->name()));
  }
  EXPECT_EQ(error_with({"--zzzzzzzz"}),
            fmt::format("unknown option '--zzzzzzzz' of '{0}' (moescope {0} --help lists them)", GetParam()->name));
}

TEST_P(Usage, AFlagWithoutItsValueIsTold) {
  for (const Option* option : flags()) {
    if (option->kind() == OptionKind::kBool) continue;
    const std::string wanted = fmt::format("option '--{}' of '{}' needs a value", option->name(), GetParam()->name);
    EXPECT_EQ(error_with({"--" + option->name()}), wanted);
    EXPECT_EQ(error_with({"--" + option->name(), "--json"}), wanted);
  }
}

TEST_P(Usage, ValuesOfAnotherTypeAreRefused) {
  for (const Option* option : flags()) {
    const std::string flag = "--" + option->name();
    const bool takes_any = option->kind() == OptionKind::kText || option->kind() == OptionKind::kPath;
    if (takes_any) continue;
    EXPECT_THAT(error_with({flag + "=some thing"}), AllOf(HasSubstr(flag), HasSubstr("some thing")));
    EXPECT_THAT(error_with({flag + "="}), HasSubstr(flag));
  }
}

TEST_P(Usage, ValuesOutOfRangeAreRefused) {
  for (const Option* option : flags()) {
    const OptionNotes& notes = option->notes();
    const std::string flag = "--" + option->name();
    const bool whole = option->kind() != OptionKind::kReal;
    const auto refused = [&](double value) {
      if (whole && option->kind() == OptionKind::kBytes && value < 0) return;  // no text says a negative size
      const std::string text = whole ? std::to_string(static_cast<std::int64_t>(value)) : fmt::format("{}", value);
      EXPECT_EQ(error_with({flag, text}), fmt::format("{} is {}, expected {}", flag, text, option->range_text()));
    };
    if (notes.least) refused(*notes.least - 1);
    if (notes.above) refused(*notes.above);
    if (notes.most) refused(*notes.most + 1);
    if (notes.below) refused(*notes.below);
  }
}

TEST_P(Usage, OptionsThatExcludeEachOtherAreTold) {
  for (const Option* option : flags()) {
    if (option->notes().excludes.empty()) continue;
    ASSERT_NE(options_.find(option->notes().excludes), nullptr);
    const auto given = [](const Option& one) {
      return "--" + one.name() + (one.kind() == OptionKind::kBool ? "=true" : "=1");
    };
    EXPECT_EQ(error_with({given(*option), given(*options_.find(option->notes().excludes))}),
              fmt::format("--{} cannot be given together with --{}", option->name(), option->notes().excludes));
  }
}

TEST_P(Usage, WhatIsMissingTooMuchOrGivenTwiceIsTold) {
  const std::vector<std::string> right = right_ones();
  for (const Option& option : options_) {
    if (option.is_list() || option.notes().positional || option.kind() == OptionKind::kBool) continue;
    const std::string text = option.kind() == OptionKind::kWord ? option.notes().words.front() : "1";
    EXPECT_THAT(error_with({"--" + option.name(), text, "--" + option.name(), text}),
                HasSubstr("takes one value, not "));
  }
  bool takes_many = false;
  for (const Option& option : options_) takes_many |= option.notes().positional && option.is_list();
  if (!takes_many) {
    const std::vector<std::string> many(5, "x");
    EXPECT_EQ(error_with(many), fmt::format("unexpected argument 'x' of '{}'", GetParam()->name));
  }
  if (right.empty()) return;
  try {
    run_command(*GetParam(), {}, Session());
    ADD_FAILURE() << "ran without arguments";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUsage);
    EXPECT_THAT(error.what(), HasSubstr(" is missing ("));
  }
}

TEST_P(Usage, HelpShowsEveryOptionOfTheDescription) {
  const Arguments given = read_arguments(*GetParam(), options_, {"--help"});
  ASSERT_TRUE(given.help);
  for (const Option* option : flags()) EXPECT_THAT(*given.help, HasSubstr("--" + option->name()));
  EXPECT_THAT(*given.help, AllOf(HasSubstr("Example: moescope "), HasSubstr("--json")));
}

INSTANTIATE_TEST_SUITE_P(All, Usage, testing::ValuesIn(all_commands().begin(), all_commands().end()), name_of);

TEST(Flags, ListsTakeSeveralValuesAndCommas) {
  struct Sample {
    std::vector<std::int64_t> ks;
    std::vector<std::filesystem::path> files;
    std::string text = "before";
    bool shuffle = true;
    void describe(OptionList& list) {
      list.add("ks", ks, "");
      list.add("files", files, "");
      list.add("text", text, "");
      list.add("shuffle", shuffle, "");
    }
  };
  const auto read = [](const std::vector<std::string>& arguments) {
    Sample sample;
    OptionList list = described(sample);
    read_arguments(kInfo, list, arguments).set(list);
    return sample;
  };
  EXPECT_THAT(read({"--ks", "1,2", "3", "--text", ""}).ks, testing::ElementsAre(1, 2, 3));
  EXPECT_EQ(read({"--text", ""}).text, "");
  EXPECT_EQ(read({"--text=--ks"}).text, "--ks");
  EXPECT_EQ(read({"--text=a=b"}).text, "a=b");
  EXPECT_THAT(read({"--files", "a,b", "--files", "c"}).files, testing::ElementsAre("a,b", "c"));
  EXPECT_FALSE(read({"--no-shuffle"}).shuffle);
  EXPECT_FALSE(read({"--shuffle", "false"}).shuffle);
  EXPECT_FALSE(read({"--shuffle=no"}).shuffle);
  EXPECT_TRUE(read({"--shuffle"}).shuffle);
}

TEST(Flags, OptionsInTextsOfTheLibraryAreNamedAsFlags) {
  std::string model, tokens;
  OptionList list;
  list.add("model", model, "", {.positional = true});
  list.add("trace-tokens", tokens, "");
  EXPECT_EQ(with_flags("option 'trace-tokens' and option 'model', not option 'other'", list),
            "--trace-tokens and MODEL, not option 'other'");
}

TEST(FindCommand, TellsTheNearestOne) {
  EXPECT_EQ(&find_command("record"), &kRecord);
  try {
    find_command("recrod");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "unknown command 'recrod' (did you mean 'record'?)");
  }
}

}  // namespace
}  // namespace moescope::cli
