#include "moescope/report/run/report.h"

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "moescope/cli/command.h"

namespace moescope::cli {

namespace {

using report::ReportOptions;
using report::ReportResult;

nlohmann::json as_json(const ReportResult& result) {
  return {
      {"report", result.path.string()},  {"bytes", result.n_bytes},       {"n_experts", result.n_experts},
      {"n_labelled", result.n_labelled}, {"n_windows", result.n_windows}, {"n_windows_shown", result.n_windows_shown},
      {"missing", result.missing},       {"done", result.done},           {"seconds", result.seconds}};
}

void print(const ReportResult& result) {
  std::printf("%s\n", result.path.string().c_str());
  std::printf("%s, %s experts, %s labelled, %s of %s evidence windows\n", format_bytes(result.n_bytes).c_str(),
              with_thousands(result.n_experts).c_str(), with_thousands(result.n_labelled).c_str(),
              with_thousands(result.n_windows_shown).c_str(), with_thousands(result.n_windows).c_str());
  for (const std::string& name : result.missing) std::printf("without %s, which is not in the run\n", name.c_str());
}

}  // namespace

void add_report(CLI::App& command, const Session& session) {
  struct Flags {
    ReportOptions options;
    std::int64_t max_windows = 0;
    double max_megabytes = 0;
    bool json = false;
  };
  const auto flags = std::make_shared<Flags>();
  flags->max_megabytes = static_cast<double>(flags->options.max_bytes) / 1e6;
  command.add_option("RUN_DIR", flags->options.run_dir, "run directory that `record` (and `label`) wrote")->required();
  command.add_option("--out", flags->options.out, "file to write (default: RUN_DIR/report.html)");
  CLI::Option* windows =
      command
          .add_option("--windows", flags->max_windows, "evidence windows of an expert and kind (default: all that fit)")
          ->check(CLI::NonNegativeNumber);
  command
      .add_option("--max-mb", flags->max_megabytes, "show fewer windows rather than write a larger file, in MB (10^6)")
      ->capture_default_str()
      ->check(CLI::PositiveNumber)
      ->excludes(windows);
  command.add_flag("--json", flags->json, "print the result as JSON");
  command.footer("Example: moescope report runs/olmoe --out olmoe.html");
  command.callback([flags, windows, &session] {
    if (windows->count() > 0) flags->options.max_windows = flags->max_windows;
    flags->options.max_bytes = static_cast<std::uint64_t>(flags->max_megabytes * 1e6);
    const ReportResult result = write_report(flags->options, session.console);
    if (flags->json) {
      std::printf("%s\n", as_json(result).dump(2).c_str());
    } else {
      print(result);
    }
  });
}

}  // namespace moescope::cli
