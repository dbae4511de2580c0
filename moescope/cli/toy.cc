// moescope toy: toy models of superposition from a settings file.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/report/toy/page.h"
#include "moescope/toy/summary.h"
#include "moescope/toy/sweep.h"

namespace moescope::cli {
namespace {

struct Flags {
  std::string settings;
  std::string out;
  std::string implementation;
  toy::TrainOptions train;
  std::string expected;
  bool page_only = false;
  bool no_figures = false;
  bool as_json = false;
};

// Compares the numbers of a page with --expected.
void check_page(const Flags& flags, const report::ToyPage& page) {
  if (flags.expected.empty()) return;
  const report::CheckResult result =
      report::check_expectations(page.numbers, report::read_expectations(flags.expected));
  fmt::print(flags.as_json ? stderr : stdout, "{}", result.text);
  if (result.n_failed > 0) throw input_error("{} numbers are not as expected", result.n_failed).at(flags.out);
}

void print_result(const Flags& flags, const toy::SweepResult& result) {
  const std::vector<toy::SummaryRow> rows = toy::summarize(result);
  if (flags.as_json) {
    nlohmann::json json = {{"out", flags.out},
                           {"models", result.instances.size()},
                           {"seconds", result.seconds},
                           {"warnings", result.warnings},
                           {"rows", toy::to_json(rows)}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}", toy::describe(rows));
  fmt::print("{}: {} models, {} in all\n", flags.out,
             with_thousands(static_cast<std::int64_t>(result.instances.size())), format_duration(result.seconds));
}

}  // namespace

void add_toy(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<Flags>();
  command.add_option("settings", flags->settings, "settings file (TOML); docs/toy.md lists its keys")->required();
  command.add_option("--out", flags->out, "folder of the results")->required();
  command.add_option("--implementation", flags->implementation,
                     "lanes (CPU, models side by side in vector registers) or batched (matrix products, any device); "
                     "default: lanes on the CPU");
  command.add_option("--device", flags->train.device, "cpu or cuda[:i]")->capture_default_str();
  command.add_option("--threads", flags->train.n_threads, "threads; 0: all processors")->capture_default_str();
  command.add_option("--expected", flags->expected,
                     "CSV of quantity, architecture, density, least, most: an error if a number is outside");
  command.add_flag("--page-only", flags->page_only, "figures and checks of a finished --out; nothing is trained");
  command.add_flag("--no-figures", flags->no_figures, "no page: tables only; needs no gnuplot")->excludes("--expected");
  command.add_flag("--json", flags->as_json, "print the result as JSON");
  command.footer("Example: moescope toy experiments/superposition/phase/settings.toml --out runs/phase");
  command.callback([flags, &session] {
    if (flags->implementation.empty()) flags->implementation = flags->train.device == "cpu" ? "lanes" : "batched";
    flags->train.implementation = parse_word<toy::Implementation>(flags->implementation);
    const toy::SweepSettings settings = toy::read_sweep_settings(flags->settings);
    if (flags->page_only) {
      check_page(*flags, report::write_toy_page(flags->out));
      return;
    }
    const toy::SweepResult result = toy::run_sweep(settings, flags->out, flags->train, session.console);
    toy::write_sweep(result, flags->out, flags->train, {session.invocation, flags->no_figures});
    const report::ToyPage page = flags->no_figures ? report::ToyPage() : report::write_toy_page(flags->out);
    for (const std::string& warning : result.warnings) session.console.line("warning: " + warning);
    print_result(*flags, result);
    check_page(*flags, page);
  });
}

}  // namespace moescope::cli
