#include "moescope/io/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

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

}  // namespace
}  // namespace moescope::io
