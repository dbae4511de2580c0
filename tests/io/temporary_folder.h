// A folder for the files of one test, removed with everything in it at the end.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "moescope/base/error.h"

namespace moescope::io {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "moescope-io-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream out(file, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out) throw std::runtime_error("cannot write " + file.string());
    return file;
  }

 private:
  std::filesystem::path path_;
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The message of the moescope::Error that `action` throws; fails the test (and returns "") if it throws none.
template <typename Action>
std::string error_of(Action action, ErrorKind expected = ErrorKind::kInput) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), expected) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "an error is one line: " << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an Error";
  return "";
}

inline std::filesystem::path fixture(const std::string& name) {
  return std::filesystem::path(MOESCOPE_SOURCE_DIR) / "tests/fixtures/io" / name;
}

// Test data that is not part of the project; empty if absent.
inline std::filesystem::path shared_data(const std::string& name) {
  const char* folder = std::getenv("MOESCOPE_SHARED_DATA");
  const std::filesystem::path path =
      std::filesystem::path(folder != nullptr ? folder : MOESCOPE_SOURCE_DIR "/../shared/data") / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace moescope::io
