#include "moescope/engine/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "moescope/base/error.h"

namespace moescope::engine {
namespace {

namespace fs = std::filesystem;

// A made-up /proc and /sys.
class Root : public testing::Test {
 protected:
  Root() : root(fs::temp_directory_path() / ("moescope-root-" + std::to_string(getpid()))) {
    write("proc/meminfo", "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n");
  }
  ~Root() override { fs::remove_all(root); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name) << text;
  }
  fs::path root;
};

TEST_F(Root, FreeMemoryIsWhatTheMachineHasAvailable) { EXPECT_EQ(free_memory_bytes(root), 8000000ull * 1024); }

TEST_F(Root, FreeMemoryHeedsTheNearestLimitOfUnifiedGroups) {
  write("proc/self/cgroup", "0::/a/b\n");
  write("sys/fs/cgroup/a/b/memory.max", "max\n");
  write("sys/fs/cgroup/a/b/memory.current", "100\n");
  EXPECT_EQ(free_memory_bytes(root), 8000000ull * 1024);
  write("sys/fs/cgroup/a/memory.max", "3000000000\n");
  write("sys/fs/cgroup/a/memory.current", "2500000000\n");
  EXPECT_EQ(free_memory_bytes(root), 500000000ull);
  write("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 400000000\n");  // the kernel can drop these
  EXPECT_EQ(free_memory_bytes(root), 900000000ull);
  write("sys/fs/cgroup/a/memory.current", "9500000000\n");  // above the limit: nothing is left, not a huge number
  EXPECT_EQ(free_memory_bytes(root), 0ull);
}

TEST_F(Root, FreeMemoryHeedsGroupsOfTheFirstVersion) {
  write("proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/1\n");
  write("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "2000000000\n");
  write("sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes", "1500000000\n");
  write("sys/fs/cgroup/memory/docker/1/memory.stat", "inactive_file 5\ntotal_inactive_file 100000000\n");
  EXPECT_EQ(free_memory_bytes(root), 600000000ull);
}

TEST_F(Root, FreeMemoryIsAbsentWhereNothingSaysIt) {
  fs::remove(root / "proc/meminfo");
  EXPECT_FALSE(free_memory_bytes(root).has_value());
}

TEST(Memory, OfThisProcessIsPlausible) {
  ASSERT_TRUE(resident_bytes() && peak_resident_bytes());
  EXPECT_GT(*resident_bytes(), 1u << 20);
  EXPECT_GE(*peak_resident_bytes(), *resident_bytes() / 2);
}

}  // namespace
}  // namespace moescope::engine
