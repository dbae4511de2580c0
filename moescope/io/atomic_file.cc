#include "moescope/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "moescope/base/error.h"

namespace moescope::io {
namespace {

Error write_error(const std::filesystem::path& path, int code) {
  // EFBIG is a file size limit (ulimit -f); to the user it is the same as a full disk.
  const char* what = code == ENOSPC || code == EDQUOT || code == EFBIG ? "disk full" : "cannot write";
  return environment_error("{} ({})", what, std::strerror(code)).at(path.string());
}

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(path), temporary_(path.string() + ".tmp") {
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown))
    throw input_error("is a folder, not a file to write").at(path.string());
  // A rename would replace the device itself (/dev/full, /dev/stdout) by a file.
  if (std::filesystem::exists(path, unknown) && !std::filesystem::is_regular_file(path, unknown)) {
    throw input_error("is a device or a pipe, not a file to write").at(path.string());
  }
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    const int code = errno;
    if (code == ENOSPC || code == EDQUOT) throw write_error(path_, code);
    throw input_error("cannot create the file: {}", std::strerror(code)).at(path.string());
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  write_at(end_, std::as_bytes(std::span(bytes)));
  end_ += bytes.size();
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  MOESCOPE_ASSERT(descriptor_ >= 0);
  while (!bytes.empty()) {
    const ssize_t n_written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n_written < 0) {
      if (errno == EINTR) continue;
      throw write_error(path_, errno);
    }
    offset += static_cast<std::uint64_t>(n_written);
    bytes = bytes.subspan(static_cast<std::size_t>(n_written));
  }
}

void AtomicFile::commit() {
  MOESCOPE_ASSERT(descriptor_ >= 0);
  // Some file systems report a full disk only here. EINVAL: the file system cannot flush, which is not an error.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) throw write_error(path_, errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  int failed = ::close(descriptor) != 0 ? errno : 0;
  if (failed == 0 && ::rename(temporary_.c_str(), path_.c_str()) != 0) failed = errno;
  if (failed != 0) {
    ::unlink(temporary_.c_str());
    throw write_error(path_, failed);
  }
}

}  // namespace moescope::io
