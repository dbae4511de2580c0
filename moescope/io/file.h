// Whole small files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace moescope::io {

// Writes bytes to PATH.tmp, flushes and renames; throws kEnvironment ("disk full") and leaves no partial file behind.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path);  // throws kInput naming the file

}  // namespace moescope::io
