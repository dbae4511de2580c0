#include "tests/project/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "moescope/base/error.h"

namespace moescope::project {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MOESCOPE_SOURCE_DIR;

bool left_out(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || name == "fixtures" || name == "__pycache__";
}

bool ends_in(const std::string& name, const std::vector<std::string>& endings) {
  return std::any_of(endings.begin(), endings.end(), [&](const std::string& ending) { return name.ends_with(ending); });
}

}  // namespace

SourceFile read_file(const std::string& path) {
  std::ifstream stream(kRoot / path, std::ios::binary);
  if (!stream) throw input_error("cannot open").at(path);
  std::ostringstream text;
  text << stream.rdbuf();
  return {path, text.str()};
}

std::vector<SourceFile> read_files(const std::vector<std::string>& places, const std::vector<std::string>& endings) {
  std::vector<SourceFile> files;
  for (const std::string& place : places) {
    if (fs::is_regular_file(kRoot / place)) files.push_back(read_file(place));
    if (!fs::is_directory(kRoot / place)) continue;
    for (auto entry = fs::recursive_directory_iterator(kRoot / place); entry != fs::recursive_directory_iterator();
         ++entry) {
      if (left_out(entry->path())) {
        entry.disable_recursion_pending();
      } else if (entry->is_regular_file() && ends_in(entry->path().filename().string(), endings)) {
        files.push_back(read_file(fs::relative(entry->path(), kRoot).generic_string()));
      }
    }
  }
  std::sort(files.begin(), files.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::vector<SourceFile> read_cpp_files() {
  return read_files({"moescope", "tests", "bench", "examples"}, {".cc", ".h"});
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ' && c != ',' && c != '\t') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

}  // namespace moescope::project
