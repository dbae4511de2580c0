// Writes report.html for a run directory, and DONE where the run is complete with it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/options.h"
#include "moescope/base/progress.h"

namespace moescope::report {

struct ReportOptions {
  std::filesystem::path run_dir;
  std::filesystem::path out;                // empty: RUN_DIR/report.html
  std::optional<std::int64_t> max_windows;  // of an expert and kind; without: as many as fit in max_bytes
  double max_megabytes = 24;                // of 10^6 bytes; above it fewer windows are shown, and the page says so

  void describe(OptionList& list);
};

struct ReportResult {
  std::filesystem::path path;
  std::uint64_t n_bytes = 0;
  std::int64_t n_experts = 0, n_labelled = 0;  // n_labelled: status ok
  std::int64_t n_windows = 0, n_windows_shown = 0;
  std::vector<std::string> missing;  // files of the contract that the page goes without
  bool done = false;                 // DONE was written
  double seconds = 0;
};

// Throws kInput for a run directory that cannot be read (reported_run.h), kEnvironment if the disk is full. DONE is
// written only beside a report.html in the run directory itself, after it, and only if no file of record and label is
// missing.
ReportResult write_report(const ReportOptions& options, const Console& console);

}  // namespace moescope::report
