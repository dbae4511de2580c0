// The run directory: the only contract between computing and showing. docs/run-directory.md lists its files.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace moescope::io {

inline constexpr int kRunSchemaVersion = 1;

// Writes bytes to PATH.tmp, flushes and renames; throws kEnvironment ("disk full") and leaves no partial file behind.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);
std::string read_file(const std::filesystem::path& path);  // throws kInput naming the file

// Creates the folder; throws kInput if it holds files of something else than a run.
void create_run_directory(const std::filesystem::path& folder);
// run.json of a run; throws kInput if absent or of a schema version newer than this program.
nlohmann::json read_run_json(const std::filesystem::path& folder);

}  // namespace moescope::io
