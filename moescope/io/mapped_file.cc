#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "moescope/base/error.h"
#include "moescope/io/safetensors.h"

namespace moescope::io {
namespace {

struct Descriptor {
  int value = -1;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

// madvise wants whole pages: grown to pages for reading ahead, shrunk for dropping, so a neighbour keeps its pages.
void advise(std::span<const std::byte> bytes, std::size_t begin, std::size_t end, int advice, bool grow) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  end = std::min(end, bytes.size());
  begin = grow ? begin / page * page : (begin + page - 1) / page * page;
  if (!grow && end != bytes.size()) end = end / page * page;
  if (begin >= end) return;
  ::madvise(const_cast<std::byte*>(bytes.data()) + begin, end - begin, advice);
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) throw input_error("cannot open the file: {}", std::strerror(errno)).at(path.string());
  struct stat status {};
  if (::fstat(file.value, &status) != 0) {
    throw input_error("cannot read the file: {}", std::strerror(errno)).at(path.string());
  }
  if (!S_ISREG(status.st_mode)) throw input_error("is not a regular file").at(path.string());

  std::shared_ptr<MappedFile> mapped(new MappedFile);
  mapped->path_ = path;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return mapped;
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (memory == MAP_FAILED) throw input_error("cannot map the file: {}", std::strerror(errno)).at(path.string());
  mapped->bytes_ = {static_cast<const std::byte*>(memory), size};
  return mapped;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::will_need(std::size_t begin, std::size_t end) const {
  advise(bytes_, begin, end, MADV_WILLNEED, true);
}

void MappedFile::drop(std::size_t begin, std::size_t end) const { advise(bytes_, begin, end, MADV_DONTNEED, false); }

}  // namespace moescope::io
