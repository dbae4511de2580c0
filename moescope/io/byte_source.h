// A file as a stream of bytes, whatever it is packed in (plain, .gz, .zst, told by the name), and that stream as lines.
//
// Goal: constant memory for any file size; a file that ends inside its compressed data is an error, never a short text.
// Non-goals: seeking, writing, other packers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace moescope::io {

// Owns the open file. Not thread-safe.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next piece, valid until the next call; empty at the end. Throws kInput naming the file if it cannot be read,
  // is broken or ends too early.
  virtual std::string_view next() = 0;
};

// Several gzip members or zstd frames behind each other are one stream. Throws kInput if the file cannot be opened,
// kEnvironment if this program was built without zlib and zstd.
std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path);

// The name without .gz or .zst: what the packed file is.
std::filesystem::path unpacked_name(const std::filesystem::path& path);

// The whole of a source; throws kInput naming the file if it is over `max_bytes`.
std::string read_all(const std::filesystem::path& path, std::int64_t max_bytes);

// Lines end in \n or \r\n, which are left out; the last one may lack its end. Owns the source.
class LineReader {
 public:
  LineReader(const std::filesystem::path& path, std::int64_t max_line_bytes);

  // Valid until the next call. Throws kInput naming file and line if a line is too long.
  std::optional<std::string_view> next();
  std::int64_t line_number() const { return line_number_; }  // of the line that next() gave, from 1
  std::string place() const;                                 // "FILE, line 3"

 private:
  std::filesystem::path path_;
  std::unique_ptr<ByteSource> source_;
  std::int64_t max_line_bytes_;
  std::int64_t line_number_ = 0;
  std::string_view piece_;  // what is left of the source's last piece
  std::string line_;        // a line that spans pieces
};

}  // namespace moescope::io
