#include "moescope/io/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>
#ifdef MOESCOPE_WITH_TEXT
#include <zlib.h>
#include <zstd.h>
#endif

#include "moescope/base/error.h"

namespace moescope::io {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1 << 18;

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(const fs::path& path) : path_(path), buffer_(kPieceBytes) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) throw input_error("cannot open the file: {}", std::strerror(errno)).at(path.string());
  }
  ~PlainSource() override { ::close(descriptor_); }
  PlainSource(const PlainSource&) = delete;
  PlainSource& operator=(const PlainSource&) = delete;

  std::string_view next() override {
    while (true) {
      const ssize_t n_read = ::read(descriptor_, buffer_.data(), buffer_.size());
      if (n_read >= 0) return {buffer_.data(), static_cast<std::size_t>(n_read)};
      if (errno != EINTR) throw input_error("cannot read the file: {}", std::strerror(errno)).at(path_.string());
    }
  }

 private:
  fs::path path_;
  std::vector<char> buffer_;
  int descriptor_ = -1;
};

#ifdef MOESCOPE_WITH_TEXT
class GzipSource : public ByteSource {
 public:
  explicit GzipSource(const fs::path& path) : path_(path), packed_(path), buffer_(kPieceBytes) {
    constexpr int kGzipOnly = 15 + 16;  // largest window, gzip header
    if (::inflateInit2(&stream_, kGzipOnly) != Z_OK) throw environment_error("zlib does not start").at(path.string());
  }
  ~GzipSource() override { ::inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::string_view next() override {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
    stream_.avail_out = static_cast<uInt>(buffer_.size());
    while (stream_.avail_out == buffer_.size() && fill()) step();
    return {buffer_.data(), buffer_.size() - stream_.avail_out};
  }

 private:
  // Sees to it that input waits; false at the end of the file, which must be the end of a member.
  bool fill() {
    if (stream_.avail_in > 0) return true;
    const std::string_view piece = packed_.next();
    if (piece.empty()) {
      if (inside_ || !began_) throw input_error("ends inside its gzip data (truncated?)").at(path_.string());
      return false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    return true;
  }

  void step() {
    if (!inside_ && began_ && *stream_.next_in == 0) {  // padding behind the last member, as on tapes
      ++stream_.next_in;
      --stream_.avail_in;
      return;
    }
    began_ = inside_ = true;
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
      inside_ = false;
      ::inflateReset(&stream_);
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      throw input_error("is not gzip data: {}", stream_.msg != nullptr ? stream_.msg : "broken").at(path_.string());
    }
  }

  fs::path path_;
  PlainSource packed_;
  std::vector<char> buffer_;
  z_stream stream_{};
  bool began_ = false, inside_ = false;
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(const fs::path& path)
      : path_(path), packed_(path), buffer_(kPieceBytes), stream_(::ZSTD_createDStream(), &::ZSTD_freeDStream) {
    if (!stream_) throw environment_error("zstd does not start").at(path.string());
  }

  std::string_view next() override {
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    while (out.pos == 0) {
      // Output may wait in the decoder although all input is taken, so a full buffer is asked again before reading on.
      if (input_.pos == input_.size && !more_output_ && !fill()) break;
      const std::size_t result = ::ZSTD_decompressStream(stream_.get(), &out, &input_);
      if (::ZSTD_isError(result) != 0) {
        throw input_error("is not zstd data: {}", ::ZSTD_getErrorName(result)).at(path_.string());
      }
      inside_ = result != 0;
      more_output_ = inside_ && out.pos == out.size;
    }
    return {buffer_.data(), out.pos};
  }

 private:
  bool fill() {
    const std::string_view piece = packed_.next();
    if (piece.empty()) {
      if (inside_) throw input_error("ends inside its zstd data (truncated?)").at(path_.string());
      return false;
    }
    input_ = {piece.data(), piece.size(), 0};
    return true;
  }

  fs::path path_;
  PlainSource packed_;
  std::vector<char> buffer_;
  std::unique_ptr<ZSTD_DStream, decltype(&::ZSTD_freeDStream)> stream_;
  ZSTD_inBuffer input_{nullptr, 0, 0};
  bool inside_ = true, more_output_ = false;
};
#endif

Error too_large(const std::string& place, std::int64_t max_bytes) {
  return input_error("is larger than {} bytes", max_bytes).at(place).hint("raise the limit of a document, or split it");
}

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const fs::path& path) {
  std::error_code unknown;
  if (fs::is_directory(path, unknown)) throw input_error("is a folder, expected a file").at(path.string());
  const std::string extension = path.extension().string();
#ifdef MOESCOPE_WITH_TEXT
  if (extension == ".gz") return std::make_unique<GzipSource>(path);
  if (extension == ".zst") return std::make_unique<ZstdSource>(path);
#else
  if (extension == ".gz" || extension == ".zst") {
    throw environment_error("this moescope was built without zlib and zstd").at(path.string());
  }
#endif
  return std::make_unique<PlainSource>(path);
}

fs::path unpacked_name(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".gz" || extension == ".zst" ? path.parent_path() / path.stem() : path;
}

std::string read_all(const fs::path& path, std::int64_t max_bytes) {
  const auto source = open_bytes(path);
  std::string all;
  for (std::string_view piece = source->next(); !piece.empty(); piece = source->next()) {
    if (static_cast<std::int64_t>(all.size() + piece.size()) > max_bytes) throw too_large(path.string(), max_bytes);
    all += piece;
  }
  return all;
}

LineReader::LineReader(const fs::path& path, std::int64_t max_line_bytes)
    : path_(path), source_(open_bytes(path)), max_line_bytes_(max_line_bytes) {}

std::string LineReader::place() const { return fmt::format("{}, line {}", path_.string(), line_number_); }

std::optional<std::string_view> LineReader::next() {
  line_.clear();
  ++line_number_;
  std::string_view line;
  while (true) {
    if (piece_.empty() && (piece_ = source_->next()).empty()) {
      if (line_.empty()) return std::nullopt;
      line = line_;
      break;
    }
    const std::size_t end = piece_.find('\n');
    const std::string_view part = piece_.substr(0, end);
    if (static_cast<std::int64_t>(line_.size() + part.size()) > max_line_bytes_) {
      throw too_large(place(), max_line_bytes_);
    }
    piece_.remove_prefix(end == std::string_view::npos ? piece_.size() : end + 1);
    if (end != std::string_view::npos && line_.empty()) {
      line = part;  // the whole line lies in one piece
      break;
    }
    line_ += part;
    if (end != std::string_view::npos) {
      line = line_;
      break;
    }
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace moescope::io
