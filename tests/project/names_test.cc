// One name for one thing: a type that a header offers has its name for itself in the whole project.
//
// Types local to a source file, or nested in a class, may repeat one another (their owner tells them apart: two hash
// tables each have a Slot), but none takes a name that a header offers.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "tests/project/source_tree.h"

namespace moescope::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Names that may stand for two things, and why.
const std::map<std::string, std::string> kShared = {};

struct Definition {
  std::string place;  // "FILE:LINE"
  bool offered;       // by a header, outside of every class
};

// Definitions and aliases; not forward declarations, not specializations, not members defined elsewhere (Regex::Code).
std::map<std::string, std::vector<Definition>> types_of(const std::vector<SourceFile>& files) {
  static const std::regex kType(
      R"(^( *)(?:template <.*> )?(?:struct|class|union|enum class|enum) ([A-Z]\w*)(?: final)?(?= *(?::[^:]|\{|$))(?!.*;$))");
  static const std::regex kOneLine(
      R"(^( *)(?:struct|class|union|enum class|enum) ([A-Z]\w*)(?= *(?::[^:;]*)?\{.*\};))");
  static const std::regex kAlias(R"(^( *)using ([A-Z]\w*) =)");
  std::map<std::string, std::vector<Definition>> types;
  for (const SourceFile& file : files) {
    const std::vector<std::string> lines = split_lines(file.text);
    for (std::size_t line_idx = 0; line_idx < lines.size(); ++line_idx) {
      std::smatch match;
      const std::string& line = lines[line_idx];
      if (!std::regex_search(line, match, kType) && !std::regex_search(line, match, kOneLine) &&
          !std::regex_search(line, match, kAlias)) {
        continue;
      }
      types[match[2]].push_back(
          {fmt::format("{}:{}", file.path, line_idx + 1), file.path.ends_with(".h") && match[1].length() == 0});
    }
  }
  return types;
}

// "NAME: FILE:LINE FILE:LINE ..." of every name that a header offers and that something else has too.
std::vector<std::string> names_of_two_things(const std::vector<SourceFile>& files) {
  std::vector<std::string> found;
  for (const auto& [name, definitions] : types_of(files)) {
    bool offered = false;
    std::string places;
    for (const Definition& one : definitions) {
      offered = offered || one.offered;
      places += " " + one.place;
    }
    if (offered && definitions.size() > 1 && !kShared.contains(name)) found.push_back(name + ":" + places);
  }
  return found;
}

TEST(Names, OfTypesMeanOneThing) {
  const std::vector<SourceFile> files = read_files({"moescope"}, {".h", ".cc"});
  EXPECT_GT(types_of(files).size(), 400u);
  EXPECT_THAT(names_of_two_things(files), IsEmpty());
}

TEST(Names, ThatMayBeSharedStillAre) {
  const auto types = types_of(read_files({"moescope"}, {".h", ".cc"}));
  for (const auto& [name, reason] : kShared) {
    EXPECT_FALSE(reason.empty()) << name;
    EXPECT_TRUE(types.contains(name) && types.at(name).size() > 1) << name;
  }
}

TEST(Names, HaveOneSpellingOfSummarize) {
  for (const SourceFile& file :
       read_files({"moescope", "tests", "docs", "README.md", "CONTRIBUTING.md"}, {".h", ".cc", ".md", ".py", ".js"})) {
    EXPECT_EQ(file.text.find(std::string("ummari") + "se"), std::string::npos) << file.path;
  }
}

TEST(NamesCheck, FindsANameOfTwoThings) {
  const auto check = [](const std::string& header, const std::string& other, const std::string& text) {
    return names_of_two_things({{"moescope/io/x.h", header}, {other, text}});
  };
  const std::string part = "struct Part {\n};\n";
  EXPECT_THAT(check(part, "moescope/run/y.h", "enum class Part { kA };\n"),
              ElementsAre("Part: moescope/io/x.h:1 moescope/run/y.h:1"));
  EXPECT_THAT(check(part, "moescope/run/y.h", "using Part = int;\n"), ElementsAre(HasSubstr("Part")));
  EXPECT_THAT(check(part, "moescope/run/y.cc", "struct Part {\n"), ElementsAre(HasSubstr("Part")));
  EXPECT_THAT(check(part, "moescope/run/y.h", "class Trace {\n  enum Part : int { kIds };\n"),
              ElementsAre(HasSubstr("Part")));
  EXPECT_THAT(check(part, "moescope/io/x.cc", "class Part final : public Base {\n"), ElementsAre(HasSubstr("Part")));
}

TEST(NamesCheck, AllowsWhatIsNoSecondThing) {
  const auto check = [](const std::string& header, const std::string& text) {
    return names_of_two_things({{"moescope/io/x.h", header}, {"moescope/io/x.cc", text}});
  };
  EXPECT_THAT(check("struct Part {\n};\n", "struct Part;\nstruct Part::Piece {\n};\nenum class Part : int;\n"),
              IsEmpty());
  EXPECT_THAT(check("template <typename T>\nstruct Cell {\n};\n", "template <>\nstruct Cell<int> {\n};\n"), IsEmpty());
  EXPECT_THAT(check("class Table {\n  struct Slot {\n", "struct Slot {\n"), IsEmpty());
}

}  // namespace
}  // namespace moescope::project
