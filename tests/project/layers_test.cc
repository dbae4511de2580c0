// The rooms include one another only as docs/architecture.md says, CMake links them alike, and the check finds
// offences.
#include "tests/project/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "moescope/base/error.h"

namespace moescope::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

LayerTable real_table() { return parse_layer_table(read_file("docs/architecture.md").text); }

std::vector<std::string> violations_of(const std::string& path, const std::string& text) {
  return layer_violations(real_table(), {{path, text}});
}

TEST(Layers, SourcesIncludeOnlyWhatTheTableAllows) {
  const std::vector<SourceFile> files = read_files({"moescope"}, {".cc", ".h", ".inc"});
  ASSERT_GT(files.size(), 20u);
  EXPECT_THAT(layer_violations(real_table(), files), IsEmpty());
}

TEST(Layers, EveryIncludedHeaderOfOursExists) {
  static const std::regex kInclude(R"re(#\s*include\s*"((moescope|tests|bench)/[^"]+)")re");
  for (const SourceFile& file : read_cpp_files()) {
    for (auto match = std::sregex_iterator(file.text.begin(), file.text.end(), kInclude);
         match != std::sregex_iterator(); ++match) {
      EXPECT_NO_THROW(read_file((*match)[1])) << file.path;
    }
  }
}

// LibTorch's precompiled header hides a missing include from the compiler, so the text is looked at.
TEST(Layers, FilesThatNameTensorsSeeAHeaderThatDeclaresThem) {
  static const std::regex kNames(R"(\b(at|torch|c10)::)");
  static const std::regex kHeader(
      R"(#\s*include\s*[<"](ATen|torch|c10|moescope/(machine|model|engine|record|analysis|train))/)");
  for (const SourceFile& file : read_files({"moescope"}, {".cc", ".h"})) {
    EXPECT_TRUE(!std::regex_search(file.text, kNames) || std::regex_search(file.text, kHeader)) << file.path;
  }
}

TEST(Layers, CMakeLinksTheRoomsThatTheTableAllows) {
  static const std::regex kRoom(R"(moescope_room\((\w+)([^)]*)\))");
  const LayerTable table = real_table();
  const std::string cmake = read_file("moescope/CMakeLists.txt").text;
  int n_rooms = 0;
  for (auto match = std::sregex_iterator(cmake.begin(), cmake.end(), kRoom); match != std::sregex_iterator(); ++match) {
    const std::string name = (*match)[1];
    ASSERT_TRUE(table.contains(name)) << name;
    std::set<std::string> linked;
    bool reading_deps = false;
    for (const std::string& word : split_words((*match)[2])) {
      if (word == "DEPS" || word == "LIBS") {
        reading_deps = word == "DEPS";
      } else if (reading_deps) {
        linked.insert(word);
      }
      EXPECT_TRUE(word != "moescope_torch" || table.at(name).may_see_torch) << name;
    }
    EXPECT_EQ(linked, table.at(name).may_include) << name;
    ++n_rooms;
  }
  EXPECT_EQ(n_rooms, static_cast<int>(table.size()));
}

TEST(LayerCheck, FindsAnEdgeThatTheTableForbids) {
  EXPECT_THAT(violations_of("moescope/io/table.cc", "#include <string>\n#include \"moescope/model/config.h\"\n"),
              ElementsAre("moescope/io/table.cc:2: io may not include model (moescope/model/config.h)"));
  EXPECT_THAT(violations_of("moescope/stats/interval.h", "  #  include \"moescope/io/table.h\""),
              ElementsAre(HasSubstr("stats may not include io")));
}

TEST(LayerCheck, FindsLibTorchInARoomWithoutIt) {
  EXPECT_THAT(violations_of("moescope/report/html.cc", "#include <ATen/ATen.h>\n"),
              ElementsAre("moescope/report/html.cc:1: report may not see LibTorch (ATen/ATen.h)"));
  EXPECT_THAT(violations_of("moescope/engine/wave.cc", "#include <ATen/ATen.h>\n"), IsEmpty());
}

TEST(LayerCheck, FindsSiblingsThatIncludeEachOther) {
  EXPECT_THAT(violations_of("moescope/analysis/superpose/sets.cc", "#include \"moescope/analysis/probe/probe.h\"\n"),
              ElementsAre(HasSubstr("analysis/superpose may not include its sibling")));
  EXPECT_THAT(violations_of("moescope/analysis/probe/fit.cc", "#include \"moescope/analysis/probe/fit.h\"\n"),
              IsEmpty());
  EXPECT_THAT(violations_of("moescope/report/toy/page.cc", "#include \"moescope/report/run/page.h\"\n"),
              ElementsAre(HasSubstr("report/toy may not include its sibling")));
  EXPECT_THAT(violations_of("moescope/report/toy/page.cc", "#include \"moescope/report/shared.h\"\n"), IsEmpty());
  EXPECT_THAT(violations_of("moescope/report/shared.cc", "#include \"moescope/report/run/page.h\"\n"),
              ElementsAre(HasSubstr("may not include its sibling")));
  EXPECT_THAT(violations_of("moescope/label/rules/rule.cc", "#include \"moescope/label/predicates/bits.h\"\n"),
              IsEmpty());
}

TEST(LayerCheck, FindsIncludesThatAreNotSpelledFromTheTop) {
  EXPECT_THAT(violations_of("moescope/io/table.cc", "#include \"table.h\"\n"), ElementsAre(HasSubstr("from the top")));
  EXPECT_THAT(violations_of("moescope/io/table.cc", "#include <moescope/io/table.h>\n"),
              ElementsAre(HasSubstr("with quotes")));
}

TEST(LayerCheck, FindsARoomThatIsNotInTheTable) {
  EXPECT_THAT(violations_of("moescope/utils/things.cc", "#include <string>\n"),
              ElementsAre(HasSubstr("not in the table")));
}

TEST(LayerTableParser, RefusesForwardReferencesUnknownWordsAndEmptyTables) {
  const auto table = [](const std::string& rows) { return "<!-- layers -->\n" + rows + "<!-- /layers -->\n"; };
  EXPECT_THROW(parse_layer_table("no table"), Error);
  EXPECT_THROW(parse_layer_table(table("")), Error);
  EXPECT_THROW(parse_layer_table(table("| `base` | x | io | no |\n| `io` | x | base | no |\n")), Error);
  EXPECT_THROW(parse_layer_table(table("| `base` | x | nothing | perhaps |\n")), Error);
  EXPECT_THROW(parse_layer_table(table("| `base` | x | nothing | no |\n| `base` | x | nothing | no |\n")), Error);
  const LayerTable good = parse_layer_table(table("| `base` | x | nothing | no |\n| `io` | x | all above | yes |\n"));
  EXPECT_EQ(good.at("io").may_include, std::set<std::string>{"base"});
  EXPECT_TRUE(good.at("io").may_see_torch);
  EXPECT_FALSE(good.at("base").may_see_torch);
}

}  // namespace
}  // namespace moescope::project
