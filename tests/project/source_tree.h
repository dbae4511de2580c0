// The project's own files as text, for tests that hold rules about them. Views nothing: every file is read into memory.
#pragma once

#include <string>
#include <vector>

namespace moescope::project {

struct SourceFile {
  std::string path;  // from the top of the project, with '/'
  std::string text;
};

// Every regular file below the given folders (and the given files) whose name ends in one of `endings`, sorted by path.
// Folders that do not exist are skipped; fixtures and hidden folders are left out.
std::vector<SourceFile> read_files(const std::vector<std::string>& places, const std::vector<std::string>& endings);

// The text of one file of the project; throws input_error when it is not there.
SourceFile read_file(const std::string& path);

// Lines without their ends; a last line without newline counts.
std::vector<std::string> split_lines(const std::string& text);

// `text` split at commas and white space, empty parts left out.
std::vector<std::string> split_words(const std::string& text);

// All C++ sources and headers of ours.
std::vector<SourceFile> read_cpp_files();

}  // namespace moescope::project
