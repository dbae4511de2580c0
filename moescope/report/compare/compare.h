// `moescope compare`: probe results of several models side by side, as tables and figures. Reads run directories of
// `moescope probe` and published CSV files.
//
// Files written: docs/run-directory.md, "compare". Every number has its interval over concepts and its n.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/options.h"
#include "moescope/base/progress.h"
#include "moescope/report/compare/probe_aggregates.h"

namespace moescope::report {

// One model as the comparison sees it.
struct ComparedModel {
  std::string name;
  ProbeTable table;
  std::optional<ProbeTable> shared;            // of shared experts; table and controls are without them
  std::map<std::string, ProbeTable> controls;  // by variant; empty for published files
  std::optional<double> active_frac;           // active parameters / all parameters; 1 for a dense model
  std::optional<double> mean_active_neurons;   // of an expert, for a token
};

struct CompareOptions {
  std::vector<std::filesystem::path> inputs;   // PATH or NAME=PATH
  std::map<std::string, double> active_fracs;  // by name, for files that do not tell
  std::filesystem::path out;                   // folder, made if absent
  std::int32_t scatter_k = 1;                  // of the scatter of concepts and of the experts per concept
  bool figures = true;
  BootstrapOptions bootstrap;

  void describe(OptionList& list);

  std::map<std::string, std::string> categories;  // concept -> category; others are "other"
};

struct CompareResult {
  nlohmann::json summary;                    // compare.json
  std::vector<std::filesystem::path> files;  // written
  std::vector<std::string> notes;            // what could not be shown, and why
};

// Throws kInput for an input that is not readable, two inputs of one name; kUsage for no inputs or an active share
// outside (0, 1].
ComparedModel read_model(const std::string& input, const CompareOptions& options);

// Throws as read_model; kEnvironment without gnuplot, with all tables written.
CompareResult compare(const CompareOptions& options, const Console& console);

// Tables for people: all of a comparison, or one model's means.
std::string describe(const CompareResult& result);
std::string describe(const ComparedModel& model, const CompareOptions& options);

}  // namespace moescope::report
