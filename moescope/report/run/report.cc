#include "moescope/report/run/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "moescope/base/error.h"
#include "moescope/io/file.h"
#include "moescope/report/run/page.h"
#include "moescope/report/run/page_data.h"
#include "moescope/report/run/reported_run.h"
#include "moescope/run/run_directory.h"

namespace moescope::report {

namespace {

namespace fs = std::filesystem;

// Files that the page does not read but that belong to a complete run; the Parquet twins depend on the build.
constexpr const char* kNotRead[] = {"trace.safetensors"};

std::string title_of(const ReportedRun& data) {
  const auto& model = data.run.at("model");
  const auto name = model.find("name");
  return name != model.end() && name->is_string() ? name->get<std::string>() : "model without a name";
}

std::int64_t most_windows_of_a_kind(const ReportedRun& data) {
  std::int64_t most = 0;
  if (!data.evidence) return most;
  for (const auto& rows : data.evidence->rows) {
    const auto n_strongest = std::count_if(rows.begin(), rows.end(), [&](std::int64_t row) {
      return data.evidence->kind[static_cast<std::size_t>(row)] == 0;
    });
    most = std::max({most, static_cast<std::int64_t>(n_strongest),
                     static_cast<std::int64_t>(rows.size()) - static_cast<std::int64_t>(n_strongest)});
  }
  return most;
}

// Encodes with fewer and fewer windows until the page fits; nothing but windows is ever left out.
std::string page_that_fits(const ReportedRun& data, const ReportOptions& options, ReportResult& result) {
  const double max_bytes = 1e6 * options.max_megabytes;
  PageDataOptions page_options;
  page_options.max_windows_per_kind = options.max_windows;
  page_options.link_files = fs::weakly_canonical(result.path).parent_path() == fs::weakly_canonical(data.folder);
  std::int64_t n_windows = std::min(most_windows_of_a_kind(data), options.max_windows.value_or(INT64_MAX));
  while (true) {
    const PageData page_data = make_page_data(data, page_options);
    std::string page = make_page(title_of(data), page_data);
    result.n_windows = page_data.n_windows;
    result.n_windows_shown = page_data.n_windows_shown;
    if (static_cast<double>(page.size()) <= max_bytes || options.max_windows || n_windows == 0) return page;
    const double share = max_bytes / static_cast<double>(page.size());
    n_windows = std::min(n_windows - 1, static_cast<std::int64_t>(static_cast<double>(n_windows) * share));
    page_options.max_windows_per_kind = n_windows;
  }
}

// Only a report that stands in the run directory under its own name completes the run.
bool completes_run(const ReportedRun& data, const fs::path& out) {
  if (!data.missing.empty()) return false;
  for (const char* name : kNotRead) {
    if (!fs::exists(data.folder / name)) return false;
  }
  return fs::weakly_canonical(out) == fs::weakly_canonical(data.folder / "report.html");
}

}  // namespace

void ReportOptions::describe(OptionList& list) {
  list.add("run-dir", run_dir, "run directory that `record` (and `label`) wrote",
           {.required = true, .positional = true});
  list.add("out", out, "file to write; without: RUN_DIR/report.html", {.in_identity = false});
  list.add("windows", max_windows, "evidence windows of an expert and kind; without: all that fit",
           {.unit = "windows", .least = 0, .excludes = "max-mb"});
  list.add("max-mb", max_megabytes, "show fewer windows rather than write a larger file, in MB (10^6)",
           {.unit = "MB", .above = 0});
}

ReportResult write_report(const ReportOptions& options, const Console& console) {
  const auto start = std::chrono::steady_clock::now();
  ReportResult result;
  result.path = options.out.empty() ? options.run_dir / "report.html" : options.out;
  console.status("report: reading " + options.run_dir.string());
  const ReportedRun data = read_reported_run(options.run_dir);
  console.status("report: writing " + result.path.string());
  const std::string page = page_that_fits(data, options, result);
  io::write_file_atomically(result.path, page);
  console.status("");
  result.n_bytes = page.size();
  result.n_experts = static_cast<std::int64_t>(data.n_all_experts());
  result.n_labelled = data.n_labelled();
  for (const auto& [name, why] : data.missing) result.missing.push_back(name);
  for (const char* name : kNotRead) {
    if (!fs::exists(data.folder / name)) result.missing.push_back(name);
  }
  result.done = completes_run(data, result.path);
  if (result.done) run::finish_step(options.run_dir);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace moescope::report
