// Rules about every file of ours: length, nothing left open, nothing that belongs to one machine.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "tests/project/source_tree.h"

namespace moescope::project {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr std::size_t kMaxLines = 500;
constexpr std::size_t kMaxCommandLines = 150;

// Files that may be longer, and why.
const std::map<std::string, std::string> kLongFiles = {};

std::size_t max_lines_of(const std::string& path) {
  return path.starts_with("moescope/cli/") ? kMaxCommandLines : kMaxLines;
}

std::vector<std::string> too_long(const std::vector<SourceFile>& files) {
  std::vector<std::string> found;
  for (const SourceFile& file : files) {
    const std::size_t n_lines = split_lines(file.text).size();
    if (n_lines > max_lines_of(file.path) && !kLongFiles.contains(file.path)) {
      found.push_back(fmt::format("{}: {} lines, at most {}", file.path, n_lines, max_lines_of(file.path)));
    }
  }
  return found;
}

// "FILE:LINE: the text found" of every line that `pattern` matches.
std::vector<std::string> lines_with(const std::vector<SourceFile>& files, const std::regex& pattern) {
  std::vector<std::string> found;
  for (const SourceFile& file : files) {
    const std::vector<std::string> lines = split_lines(file.text);
    for (std::size_t line_idx = 0; line_idx < lines.size(); ++line_idx) {
      std::smatch match;
      if (std::regex_search(lines[line_idx], match, pattern)) {
        found.push_back(fmt::format("{}:{}: {}", file.path, line_idx + 1, match.str()));
      }
    }
  }
  return found;
}

// Code, build files, scripts and documents: everything a person wrote.
std::vector<SourceFile> written_files() {
  return read_files({"moescope", "tests", "bench", "examples", "cmake", "tools", "docs", "web", "Makefile", "README.md",
                     "CONTRIBUTING.md", "CHANGELOG.md", "CMakeLists.txt", ".ci/run"},
                    {".cc", ".h", ".inc", ".cmake", ".txt", ".md", ".py", ".sh", ".js", ".css", ".html", "setup",
                     "demo", "format", "tidy", "bench", "screenshot"});
}

// The patterns are put together from pieces, so that this file does not match them.
const std::regex kLeftOpen(std::string(R"(\b(TO)") + "DO|FIX" + R"(ME|XX)" + R"(X)\b|not (yet )?imple)" + "mented");
const std::regex kMachinePath(std::string(R"((^|[\s"'=(`:]))") + R"(/(wo)" + R"(rk|fa)" + R"(rm|ro)" + R"(ot|ho)" +
                              R"(me)/\w)");
const std::regex kProcessState(
    R"(\b(set_num(_interop)?_threads|set_process_threads|mallopt|keep_freed_memory|catch_interrupts|setenv|putenv|)"
    R"(setlocale|sigaction|manual_seed)\(|\bsignal\()");
const std::regex kRegistryHost(std::string(R"(\b(py)") + R"(pi\.org|pythonhos)" + R"(ted\.org|deb\.deb)" +
                               R"(ian\.org|download\.pyt)" + R"(orch\.org|npm)" + R"(js\.(com|org))\b)");
// Notes that the project does not hold: a reader cannot follow them.
const std::regex kAbsentDocument(std::string(R"(\bDES)") + R"(IGN\b|\bCONVEN)" + R"(TIONS\b|\bspe)" + "cs/");

// Colours, fonts, widths and sizes of marks, formats and data blocks in gnuplot's words: only the room plot knows them.
const std::regex kFigureStyle(R"(rgb '|font '|set terminal|<< EOD|\b(lw|ps|pt) \d)");

// A field that clang-format tore apart because its trailing comment was too long: such a comment stands above the
// field.
std::vector<std::string> torn_fields(const std::vector<SourceFile>& files) {
  static const std::regex kEnd(R"(^\s+[\w{}.:"]+;\s+//.*$)");
  std::vector<std::string> found;
  for (const SourceFile& file : files) {
    const std::vector<std::string> lines = split_lines(file.text);
    for (std::size_t line_idx = 1; line_idx < lines.size(); ++line_idx) {
      const std::string& before = lines[line_idx - 1];
      const bool ended = before.empty() || before.find("//") != std::string::npos ||
                         std::string(";{}:,)").find(before.back()) != std::string::npos;
      if (!ended && std::regex_match(lines[line_idx], kEnd)) {
        found.push_back(fmt::format("{}:{}: {}", file.path, line_idx + 1, lines[line_idx]));
      }
    }
  }
  return found;
}

TEST(Files, AreShortEnoughToRead) {
  const std::vector<SourceFile> files = read_cpp_files();
  ASSERT_GT(files.size(), 20u);
  EXPECT_THAT(too_long(files), IsEmpty());
}

TEST(Files, ExceptionsFromTheLengthAreStillNeeded) {
  for (const auto& [path, reason] : kLongFiles) {
    EXPECT_GT(split_lines(read_file(path).text).size(), max_lines_of(path)) << path;
    EXPECT_FALSE(reason.empty()) << path;
  }
}

TEST(Files, LeaveNothingOpen) { EXPECT_THAT(lines_with(written_files(), kLeftOpen), IsEmpty()); }

TEST(Files, NameNoPathOfOneMachine) { EXPECT_THAT(lines_with(written_files(), kMachinePath), IsEmpty()); }

TEST(Files, PointOnlyToDocumentsThatAreHere) { EXPECT_THAT(lines_with(written_files(), kAbsentDocument), IsEmpty()); }

TEST(Files, HaveNoFieldTornFromItsComment) { EXPECT_THAT(torn_fields(read_cpp_files()), IsEmpty()); }

// What belongs to the whole process is set by the program: nowhere else but where each setter is defined.
TEST(Files, SetNothingOfTheProcessInTheLibrary) {
  std::vector<SourceFile> files = read_files({"moescope"}, {".cc", ".h"});
  ASSERT_GT(std::erase_if(files,
                          [](const SourceFile& file) {
                            return file.path.starts_with("moescope/cli/") ||
                                   file.path.starts_with("moescope/machine/threads.") ||
                                   file.path.starts_with("moescope/base/interrupt.");
                          }),
            4u);
  EXPECT_THAT(lines_with(files, kProcessState), IsEmpty());
}

// Options are named by their names; the command line makes flags of them.
TEST(Files, NameNoFlagsInTheLibrary) {
  std::vector<SourceFile> files = read_files({"moescope"}, {".cc", ".h"});
  std::erase_if(files, [](const SourceFile& file) {
    return file.path.starts_with("moescope/cli/") || file.path == "moescope/io/checkpoint_folder.cc";  // flags of `hf`
  });
  EXPECT_THAT(lines_with(files, std::regex(R"(^[^/]*"([^"\\]|\\.)*(^|[^A-Za-z0-9-])--[a-z][a-z])")), IsEmpty());
}

TEST(Files, NameOnlyOptionsThatAreDescribed) {
  static const std::regex kDescribed(
      R"re((?:add|add_bytes|add_setter|add_values)\(\s*(?:list, )?"([a-z0-9-]+)"(?:, "([a-z0-9-]+-range)")?)re");
  static const std::regex kNamed(R"re(option_name\("([a-z0-9-]+)"\)|option '([a-z0-9-]+)')re");
  const std::vector<SourceFile> files = read_files({"moescope"}, {".cc", ".h"});
  const auto matches = [&](const std::regex& pattern) {
    std::set<std::string> names;
    for (const SourceFile& file : files) {
      if (file.path.starts_with("moescope/base/")) continue;  // examples
      for (auto match = std::sregex_iterator(file.text.begin(), file.text.end(), pattern);
           match != std::sregex_iterator(); ++match) {
        for (std::size_t i = 1; i < match->size(); ++i) {
          if ((*match)[i].matched) names.insert((*match)[i].str());
        }
      }
    }
    return names;
  };
  const std::set<std::string> described = matches(kDescribed), named = matches(kNamed);
  EXPECT_GT(described.size(), 100u);
  EXPECT_GT(named.size(), 20u);
  for (const std::string& name : named) EXPECT_TRUE(described.contains(name)) << name;
}

TEST(Files, OutsideOfPlotStyleNoFigure) {
  std::vector<SourceFile> files = read_files({"moescope"}, {".cc", ".h"});
  std::erase_if(files, [](const SourceFile& file) { return file.path.starts_with("moescope/plot/"); });
  EXPECT_THAT(lines_with(files, kFigureStyle), IsEmpty());
}

TEST(Files, NameNoPackageRegistry) { EXPECT_THAT(lines_with(written_files(), kRegistryHost), IsEmpty()); }

TEST(Files, HeadersSayWhatTheyAreForAndAreReadOnce) {
  for (const SourceFile& file : read_files({"moescope", "tests"}, {".h"})) {
    EXPECT_TRUE(file.text.starts_with("// ")) << file.path;
    // Once a target where Highway compiles a header for several.
    const std::regex guard(R"(^#pragma once$|^#if .* == defined\(HWY_TARGET_TOGGLE\)$)");
    EXPECT_THAT(lines_with({file}, guard), SizeIs(1)) << file.path;
  }
}

TEST(Files, EndWithANewlineAndHoldNoCarriageReturns) {
  for (const SourceFile& file : written_files()) {
    EXPECT_TRUE(file.text.empty() || file.text.ends_with('\n')) << file.path;
    EXPECT_EQ(file.text.find('\r'), std::string::npos) << file.path;
  }
}

TEST(Files, CiteTheVersionThatIsBuilt) {
  const std::string build = read_file("CMakeLists.txt").text;
  std::smatch version;
  ASSERT_TRUE(std::regex_search(build, version, std::regex(R"(project\(moescope VERSION ([0-9.]+))")));
  EXPECT_NE(read_file("CITATION.cff").text.find("\nversion: " + version[1].str() + "\n"), std::string::npos);
}

TEST(FileRules, FindWhatTheyForbid) {
  EXPECT_THAT(too_long({{"moescope/io/x.cc", std::string(501, '\n')}}), SizeIs(1));
  EXPECT_THAT(too_long({{"moescope/io/x.cc", std::string(500, '\n')}}), IsEmpty());
  EXPECT_THAT(too_long({{"moescope/cli/x.cc", std::string(151, '\n')}}), SizeIs(1));
  const auto finds = [](const std::string& text, const std::regex& pattern) {
    return !lines_with({{"x", text}}, pattern).empty();
  };
  EXPECT_TRUE(finds("  at::set_num_threads(2);", kProcessState) && finds("std::signal(SIGINT, f);", kProcessState));
  EXPECT_FALSE(finds("  if (on_signal(2)) get_num_threads();", kProcessState));
  EXPECT_TRUE(
      finds("// TO"
            "DO: later",
            kLeftOpen));
  EXPECT_FALSE(finds("TODOS", kLeftOpen));
  EXPECT_TRUE(finds("with lines lw 2 lc rgb '#000000'", kFigureStyle));
  EXPECT_FALSE(finds("plot::clause(name, \"1:2\", mark)", kFigureStyle));
  EXPECT_TRUE(
      finds("open(\"/ho"
            "me/ann/model\")",
            kMachinePath));
  EXPECT_FALSE(
      finds("see docs/ho"
            "me/x",
            kMachinePath));
  EXPECT_TRUE(
      finds("from https://py"
            "pi.org/simple",
            kRegistryHost));
  EXPECT_TRUE(
      finds("as spe"
            "cs/labels.md says",
            kAbsentDocument));
  EXPECT_THAT(torn_fields({{"x.h", "  int n =\n      0;  // of them all\n"}}), SizeIs(1));
  EXPECT_THAT(torn_fields({{"x.h", "  std::string\n      text;  // of them all\n"}}), SizeIs(1));
  EXPECT_THAT(torn_fields({{"x.h", "  int n = 0;\n  int m;  // of them all\n  // Text\n  int k;  // x\n"}}), IsEmpty());
}

}  // namespace
}  // namespace moescope::project
