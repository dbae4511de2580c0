// A file that appears whole or not at all: written to PATH.tmp, flushed to the disk and renamed. Every writer of the
// library goes through it, so a full disk or a kill never leaves half a file under a final name.
//
// Non-goals: appending to an existing file, locking against a second writer of the same path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

namespace moescope::io {

// Owns PATH.tmp until commit(); the destructor removes it otherwise. Not thread-safe.
class AtomicFile {
 public:
  // Throws kInput if the folder does not exist or may not be written.
  explicit AtomicFile(const std::filesystem::path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Both throw kEnvironment, naming the file, if the disk is full or fails.
  void write(std::string_view bytes);  // behind what write() wrote last
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  // Flushes, closes and renames to the final name; nothing may be written behind it.
  void commit();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_, temporary_;
  std::uint64_t end_ = 0;
  int descriptor_ = -1;
};

}  // namespace moescope::io
