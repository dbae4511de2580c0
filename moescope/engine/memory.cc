#include "moescope/engine/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "moescope/base/error.h"

namespace moescope::engine {
namespace {

namespace fs = std::filesystem;

// "Key: 123 kB" and "key 123" lines.
std::map<std::string, std::uint64_t> read_fields(const fs::path& path) {
  std::map<std::string, std::uint64_t> fields;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key, unit;
    std::uint64_t value = 0;
    if (!(words >> key >> value)) continue;
    if (!key.empty() && key.back() == ':') key.pop_back();
    if (words >> unit && unit == "kB") value *= 1024;
    fields[key] = value;
  }
  return fields;
}

std::optional<std::uint64_t> find(const std::map<std::string, std::uint64_t>& fields, const std::string& key) {
  const auto it = fields.find(key);
  return it == fields.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::uint64_t> read_number(const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;  // absent, or "max"
}

// Room under one group's limit, without the page cache that the kernel can drop.
std::optional<std::uint64_t> group_room(const fs::path& folder, const char* limit_name, const char* usage_name) {
  const std::optional<std::uint64_t> limit = read_number(folder / limit_name);
  const std::optional<std::uint64_t> usage = read_number(folder / usage_name);
  if (!limit || !usage) return std::nullopt;
  const auto stat = read_fields(folder / "memory.stat");
  const std::uint64_t cached = find(stat, "total_inactive_file").value_or(find(stat, "inactive_file").value_or(0));
  const std::uint64_t used = *usage - std::min(*usage, cached);
  return *limit - std::min(*limit, used);
}

// This process's groups and their parents: "0::/a/b" (version 2) and "4:memory:/a/b" (version 1).
std::optional<std::uint64_t> groups_room(const fs::path& root) {
  std::optional<std::uint64_t> room;
  const auto lower = [&](std::optional<std::uint64_t> other) {
    if (other) room = std::min(room.value_or(*other), *other);
  };
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (!controllers.empty() && controllers != "memory") continue;
    const bool unified = controllers.empty();
    for (fs::path group = line.substr(second + 1);; group = group.parent_path()) {
      const fs::path folder = root / "sys/fs/cgroup" / (unified ? "" : "memory") / group.relative_path();
      lower(unified ? group_room(folder, "memory.max", "memory.current")
                    : group_room(folder, "memory.limit_in_bytes", "memory.usage_in_bytes"));
      if (!group.has_relative_path()) break;
    }
  }
  return room;
}

}  // namespace

std::optional<std::uint64_t> free_memory_bytes(const fs::path& root) {
  const std::optional<std::uint64_t> machine = find(read_fields(root / "proc/meminfo"), "MemAvailable");
  const std::optional<std::uint64_t> groups = groups_room(root);
  if (machine && groups) return std::min(*machine, *groups);
  return machine ? machine : groups;
}

std::optional<std::uint64_t> resident_bytes() { return find(read_fields("/proc/self/status"), "VmRSS"); }
std::optional<std::uint64_t> peak_resident_bytes() { return find(read_fields("/proc/self/status"), "VmHWM"); }

}  // namespace moescope::engine
