#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "moescope/io/document_source.h"
#include "moescope/io/documents.h"
#include "moescope/io/utf8.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

class SystemCorpus : public testing::Test {
 protected:
  std::vector<std::pair<std::string, std::string>> read(const CorpusOptions& options = {}) {
    reader = open_system_corpus(options, folder.path());
    std::vector<std::pair<std::string, std::string>> documents;
    while (auto document = reader->next()) documents.emplace_back(document->id, document->domain);
    return documents;
  }
  TemporaryFolder folder;
  std::unique_ptr<DocumentReader> reader;
};

TEST_F(SystemCorpus, TellsKindsByPlaceAndName) {
  folder.write("usr/share/doc/a/README", "readme");
  folder.write("usr/share/doc/a/copyright", "copyright");
  folder.write("usr/share/doc/a/changelog.Debian", "changes");
  folder.write("usr/share/doc/a/picture.png", "png");
  folder.write("usr/share/common-licenses/GPL-3", "gpl");
  folder.write("usr/share/man/man1/ls.1", ".SH NAME\nls \\- list\n");
  folder.write("usr/share/cmake-3.25/Help/command/add_test.rst", "add_test");
  folder.write("usr/share/cmake-3.25/Modules/CTest.cmake", "include(x)");
  folder.write("usr/include/stdio.h", "int puts(const char*);");
  folder.write("usr/include/c++/12/vector", "template");
  folder.write("usr/lib/python3.11/abc.py", "import os");
  folder.write("usr/lib/python3/dist-packages/x.so", "ELF");
  folder.write("usr/share/texmf/tex/a.sty", "\\def\\a{}");
  folder.write("usr/share/perl/5.36.0/Carp.pm", "package Carp;");
  EXPECT_THAT(
      read(),
      UnorderedElementsAre(
          Pair("/usr/share/doc/a/README", "document"), Pair("/usr/share/doc/a/copyright", "licence"),
          Pair("/usr/share/doc/a/changelog.Debian", "changelog"), Pair("/usr/share/common-licenses/GPL-3", "licence"),
          Pair("/usr/share/cmake-3.25/Help/command/add_test.rst", "document"), Pair("/usr/include/stdio.h", "C header"),
          Pair("/usr/include/c++/12/vector", "C header"), Pair("/usr/lib/python3.11/abc.py", "Python"),
          Pair("/usr/share/texmf/tex/a.sty", "LaTeX"), Pair("/usr/share/perl/5.36.0/Carp.pm", "Perl")));
  EXPECT_EQ(reader->counts().n_other_files, 3);
  EXPECT_EQ(reader->counts().n_documents, 10);
  EXPECT_EQ(reader->files().size(), 10u);
}

TEST_F(SystemCorpus, CountsWhatItLeavesOut) {
  folder.write("usr/share/doc/a/README", "the same text");
  folder.write("usr/share/doc/b/README", "the same text");
  folder.write("usr/share/doc/c/README", std::string("binary\0data", 11));
  folder.write("usr/share/doc/d/README", "\x80\x81\x82\x83 mostly broken");
  folder.write("usr/share/doc/e/README", "J\xF6rg wrote this file long ago, in the letters of those days");
  folder.write("usr/share/doc/f/README.gz", "not packed");
  folder.write("usr/share/doc/g/README", std::string((1 << 20) + 1, 'x'));
  folder.write("usr/share/doc/h/README", " \n\n");
  std::filesystem::create_symlink("/etc/passwd", folder.path() / "usr/share/doc/a/NEWS");
  std::filesystem::create_directory_symlink("/etc", folder.path() / "usr/share/doc/z");
  EXPECT_EQ(read().size(), 2u);
  EXPECT_EQ(reader->counts().n_duplicates, 1);
  EXPECT_EQ(reader->counts().n_binary, 2);
  EXPECT_EQ(reader->counts().n_unreadable, 2);
  EXPECT_EQ(reader->counts().n_empty, 1);
  EXPECT_EQ(reader->counts().n_replaced_bytes, 1);
}

TEST_F(SystemCorpus, TakesTheBeginningOfLongFiles) {
  std::string lines, letters;
  while (lines.size() < 100'000) lines += "a line of a long changelog\n";
  while (letters.size() < 100'000) letters += "\xC3\xA9";  // no line ends in it, two bytes a character
  folder.write("usr/share/doc/a/README", lines);
  folder.write("usr/share/doc/b/README", "x" + letters);
  reader = open_system_corpus({}, folder.path());
  int n_documents = 0;
  while (auto document = reader->next()) {
    ++n_documents;
    EXPECT_LE(document->text.size(), 32u << 10);
    EXPECT_GT(document->text.size(), 32'000u);
    EXPECT_EQ(document->text.back() == '\n', document->text.front() == 'a');
    std::int64_t n_replaced = 0;
    repair_utf8(document->text, n_replaced);
    EXPECT_EQ(n_replaced, 0);
  }
  EXPECT_EQ(n_documents, 2);
  EXPECT_EQ(reader->counts().n_shortened, 2);
}

TEST_F(SystemCorpus, AnyBoundKeepsAMixInTheSameOrder) {
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    folder.write("usr/share/doc/a" + number + "/README", std::string(100, 'd') + number);
    folder.write("usr/include/a" + number + ".h", std::string(1000, 'h') + number);
    folder.write("usr/lib/python3/a" + number + ".py", std::string(10, 'p') + number);
  }
  const auto documents = read({.system_max_bytes = 8000});
  EXPECT_EQ(read({.system_max_bytes = 8000}), documents);
  EXPECT_GE(reader->counts().n_bytes, 8000);
  EXPECT_LT(reader->counts().n_bytes, 8000 + 1002);
  std::map<std::string, int> n;
  for (const auto& [id, domain] : documents) ++n[domain];
  EXPECT_EQ(n["Python"], 50);  // all there are: 600 bytes
  EXPECT_NEAR(n["C header"], 4, 1);
  EXPECT_NEAR(n["document"], 36, 10);
  EXPECT_THAT(read({.system_max_bytes = 0}), ElementsAre());
}

TEST_F(SystemCorpus, AMachineWithoutTextIsAnError) {
  EXPECT_THAT(error_of([&] { read(); }), HasSubstr("no text found"));
}

TEST(SystemCorpusOfThisMachine, IsValidTextOfSeveralKinds) {
  std::unique_ptr<DocumentReader> reader;
  try {
    reader = open_corpus("system", {.system_max_bytes = 2 << 20});
  } catch (const Error&) {
    GTEST_SKIP() << "this machine has no headers or documents";
  }
  std::map<std::string, int> n;
  while (const auto document = reader->next()) {
    ++n[document->domain];
    EXPECT_TRUE(is_utf8(document->text)) << document->id;
    EXPECT_FALSE(document->text.empty()) << document->id;
  }
  EXPECT_GE(n.size(), 2u);  // the compiler that built this test brings headers, and every package a licence
  EXPECT_EQ(reader->files().size(), static_cast<std::size_t>(reader->counts().n_documents));
}

}  // namespace
}  // namespace moescope::io
