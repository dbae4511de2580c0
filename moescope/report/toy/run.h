// Reads what `moescope toy` wrote (docs/toy.md): tables by column name, settings, weights. One run directory is one
// sweep.
//
// Non-goals: types of columns; a field is read as a number when it is asked for as one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "moescope/io/safetensors.h"

namespace moescope::report {

// A CSV file with a header, whatever its columns are.
class ToyTable {
 public:
  // Throws kInput naming the file for a missing file, no header, ragged rows.
  static ToyTable read(const std::filesystem::path& path);

  std::size_t n_rows() const { return n_rows_; }
  bool has(const std::string& column) const { return columns_.contains(column); }
  // Throw kInput naming file and column if the column is absent, or (with the row) if a field is not of the type.
  const std::string& text(const std::string& column, std::size_t row) const;
  std::optional<double> real(const std::string& column, std::size_t row) const;  // absent: an empty field
  std::int64_t integer(const std::string& column, std::size_t row) const;

 private:
  std::filesystem::path path_;
  std::size_t n_rows_ = 0;
  std::map<std::string, std::vector<std::string>> columns_;
};

struct ToyArchitecture {
  std::string name;
  std::int64_t n_features = 0, n_dims = 0, n_experts = 0, n_active = 0;
  nlohmann::json settings;  // all of run.json's entry
};

struct ToyRun {
  std::filesystem::path folder;
  nlohmann::json run;  // run.json
  std::string experiment;
  std::vector<ToyArchitecture> architectures;
  ToyTable instances;                // one row an instance
  std::optional<ToyTable> experts;   // one row an instance and expert
  std::optional<ToyTable> features;  // one row an instance, expert and feature; only if asked for
  io::SafetensorsFile weights;

  std::int64_t architecture_idx(const std::string& name) const;  // throws kInput if there is none
};
// Throws kInput for a folder that is no finished run of `moescope toy`.
ToyRun read_toy_run(const std::filesystem::path& folder);

}  // namespace moescope::report
