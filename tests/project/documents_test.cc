// What the documents say: their commands work and print what is shown, their links lead somewhere, their flags exist.
#include "tests/project/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <regex>

#include "moescope/base/error.h"
#include "tests/project/source_tree.h"

namespace moescope::project {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const fs::path kBinary = fs::path(MOESCOPE_BINARY_DIR) / "moescope";

std::vector<SourceFile> documents() {
  return read_files({"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs", "models"}, {".md"});
}

std::vector<std::string> paths_of_documents() {
  std::vector<std::string> paths;
  for (const SourceFile& file : documents()) paths.push_back(file.path);
  return paths;
}

// A folder that looks like the top of the project after a build, for commands that write to runs/ and elsewhere.
class Reader {
 public:
  Reader() : folder_(fs::temp_directory_path() / ("moescope-documents-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    const fs::path top = MOESCOPE_SOURCE_DIR;
    for (const char* name : {"models", "docs", "tests", "tools", "README.md"}) {
      if (fs::exists(top / name)) fs::create_symlink(top / name, folder_ / name);
    }
    fs::create_symlink(MOESCOPE_BINARY_DIR, folder_ / "build");
  }
  ~Reader() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  CommandResult run(const std::string& command) const { return run_command(command, folder_.string()); }

 private:
  fs::path folder_;
};

class Documents : public testing::TestWithParam<std::string> {};

TEST_P(Documents, CommandsPrintWhatIsShown) {
  const std::vector<ConsoleCommand> commands = parse_console_commands(read_file(GetParam()).text);
  if (commands.empty()) return;  // nothing is claimed
  if (!fs::exists(kBinary)) GTEST_SKIP() << "this build has no moescope (MOESCOPE_WITH_TORCH is OFF)";
  const Reader reader;
  for (const ConsoleCommand& command : commands) {
    const CommandResult result = reader.run(command.command);
    const std::string place = GetParam() + ":" + std::to_string(command.line) + ": $ " + command.command;
    EXPECT_EQ(result.exit_code, command.exit_code) << place << "\n" << result.output;
    EXPECT_TRUE(command.expected.empty() || matches_output(command.expected, split_lines(result.output)))
        << place << "\nprinted:\n"
        << result.output;
  }
}

TEST_P(Documents, RelativeLinksLeadToFiles) {
  static const std::regex kLink(R"(\]\(([^)#:\s]+)(#[^)]*)?\))");
  const SourceFile file = read_file(GetParam());
  const fs::path folder = fs::path(MOESCOPE_SOURCE_DIR) / fs::path(file.path).parent_path();
  for (auto link = std::sregex_iterator(file.text.begin(), file.text.end(), kLink); link != std::sregex_iterator();
       ++link) {
    EXPECT_TRUE(fs::exists(folder / (*link)[1].str())) << file.path << ": " << (*link)[1];
  }
}

// Every "moescope COMMAND ... --flag" in a document, continued lines included, is in that command's --help.
TEST_P(Documents, FlagsOfCommandsExist) {
  if (!fs::exists(kBinary)) GTEST_SKIP() << "this build has no moescope (MOESCOPE_WITH_TORCH is OFF)";
  static const std::regex kCommand(R"(moescope ([a-z]+)((?:[^\n`\\|]|\\\n)*))");
  static const std::regex kFlag(R"((?:^|\s)(--[a-z][a-z0-9-]*))");
  std::map<std::string, std::string> help;
  const std::string text = read_file(GetParam()).text;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), kCommand); match != std::sregex_iterator();
       ++match) {
    const std::string name = (*match)[1];
    const std::string arguments = (*match)[2];
    for (auto flag = std::sregex_iterator(arguments.begin(), arguments.end(), kFlag); flag != std::sregex_iterator();
         ++flag) {
      if (!help.contains(name)) help[name] = run_command(kBinary.string() + " " + name + " --help", ".").output;
      EXPECT_TRUE(std::regex_search(help[name], std::regex((*flag)[1].str() + "\\b")))
          << GetParam() << ": moescope " << name << " has no " << (*flag)[1];
    }
  }
}

std::string name_of(const testing::TestParamInfo<std::string>& document) {
  return std::regex_replace(document.param, std::regex("[^A-Za-z0-9]"), "_");
}

INSTANTIATE_TEST_SUITE_P(All, Documents, testing::ValuesIn(paths_of_documents()), name_of);

TEST(ConsoleBlocks, AreReadWithContinuationsOutputAndExitCodes) {
  const std::vector<ConsoleCommand> commands = parse_console_commands(
      "text\n```console\n$ not run\n```\n<!-- test -->\n```console\n$ echo a \\\n  b\na b\n$ true\n```\n"
      "<!-- test: exit 3 -->\n```console\n$ exit 3\n```\n");
  ASSERT_EQ(commands.size(), 3u);
  EXPECT_EQ(commands[0].command, "echo a \\\n  b");
  EXPECT_THAT(commands[0].expected, ElementsAre("a b"));
  EXPECT_EQ(commands[0].line, 7);
  EXPECT_EQ(commands[1].command, "true");
  EXPECT_EQ(commands[2].exit_code, 3);
}

TEST(ConsoleBlocks, AreRefusedWhenBroken) {
  EXPECT_THROW(parse_console_commands("<!-- test -->\ntext\n"), Error);
  EXPECT_THROW(parse_console_commands("<!-- test -->\n```console\n$ true\n"), Error);
  EXPECT_THROW(parse_console_commands("<!-- test -->\n```console\nno command\n```\n"), Error);
  EXPECT_THROW(parse_console_commands("<!-- test -->\n```console\n```\n"), Error);
}

TEST(ConsoleOutput, IsComparedWithGapsInAndBetweenLines) {
  EXPECT_TRUE(matches_output({"a", "b"}, {"a ", "b"}));
  EXPECT_FALSE(matches_output({"a", "b"}, {"a"}));
  EXPECT_FALSE(matches_output({"a"}, {"a", "b"}));
  EXPECT_TRUE(matches_output({"a", "...", "d"}, {"a", "b", "c", "d"}));
  EXPECT_TRUE(matches_output({"...", "d"}, {"d"}));
  EXPECT_FALSE(matches_output({"a", "...", "d"}, {"a", "b", "c"}));
  EXPECT_TRUE(matches_output({"n = ... tokens"}, {"n = 17 tokens"}));
  EXPECT_FALSE(matches_output({"n = ... tokens"}, {"m = 17 tokens"}));
  EXPECT_FALSE(matches_output({"n = ... tokens"}, {"n = 17 pieces"}));
  EXPECT_FALSE(matches_output({"ab...bc"}, {"abc"}));
}

TEST(ConsoleRunner, ReportsOutputExitCodesAndSignals) {
  const CommandResult both = run_command("echo \"it's\"; echo err >&2; exit 4", ".");
  EXPECT_EQ(both.output, "it's\nerr\n");
  EXPECT_EQ(both.exit_code, 4);
  EXPECT_EQ(run_command("kill -9 $$", ".").exit_code, 137);
  EXPECT_THAT(run_command("pwd", fs::temp_directory_path().string()).output, HasSubstr("/"));
}

}  // namespace
}  // namespace moescope::project
