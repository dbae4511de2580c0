#include "moescope/io/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::HasSubstr;

TEST(AtomicWriting, ReplacesTheFileAndLeavesNothingElse) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a.txt";
  write_file_atomically(path, "one");
  write_file_atomically(path, std::string_view("two\0three", 9));
  EXPECT_EQ(read_file(path), std::string("two\0three", 9));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(AtomicWriting, NamesAPathThatCannotBeWritten) {
  const TemporaryFolder folder;
  const auto absent = folder.path() / "absent" / "a.txt";
  EXPECT_THAT(error_of([&] { write_file_atomically(absent, "x"); }), HasSubstr(absent.string()));
  EXPECT_THAT(error_of([&] { write_file_atomically(folder.path(), "x"); }), HasSubstr("is a folder"));
  EXPECT_THAT(error_of([&] { read_file(absent); }), HasSubstr(absent.string()));
}

TEST(AtomicWriting, DoesNotReplaceADeviceOrAPipe) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { write_file_atomically(pipe, "x"); }), HasSubstr("is a device or a pipe"));
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST(RunDirectory, IsCreatedAndTakenAgain) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "runs" / "one";
  create_run_directory(run);
  EXPECT_TRUE(std::filesystem::is_directory(run));
  write_file_atomically(run / "documents.jsonl.tmp", "");
  create_run_directory(run);
  write_file_atomically(run / "run.json", R"({"schema": 1})");
  write_file_atomically(run / "notes.txt", "mine");  // a run may be annotated
  create_run_directory(run);
  EXPECT_EQ(read_run_json(run).at("schema"), 1);
}

TEST(RunDirectory, RefusesAFolderOfSomethingElse) {
  const TemporaryFolder folder;
  folder.write("thesis.tex", "");
  EXPECT_THAT(error_of([&] { create_run_directory(folder.path()); }), HasSubstr("\"thesis.tex\""));
  EXPECT_THAT(error_of([&] { create_run_directory(folder.path() / "thesis.tex"); }), HasSubstr("is a file"));
  EXPECT_THAT(error_of([&] { create_run_directory(folder.path() / "thesis.tex" / "run"); }),
              HasSubstr("cannot create"));
}

TEST(RunDirectory, ReadsOnlySchemasItKnows) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_run_json(folder.path()); }), HasSubstr("not a run directory"));
  for (const char* bad : {"[]", "{}", R"({"schema": "1"})", R"({"schema": 0})", R"({"schema": 1.5})"}) {
    folder.write("run.json", bad);
    EXPECT_THAT(error_of([&] { read_run_json(folder.path()); }), HasSubstr("schema")) << bad;
  }
  folder.write("run.json", R"({"schema": 2})");
  EXPECT_THAT(error_of([&] { read_run_json(folder.path()); }), HasSubstr("schema 2 is newer"));
}

}  // namespace
}  // namespace moescope::io
