// moescope toy: toy models of superposition from a settings file.
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/machine/threads.h"
#include "moescope/report/toy/page.h"
#include "moescope/toy/summary.h"
#include "moescope/toy/sweep.h"

namespace moescope::cli {
namespace {

class ToyCommand : public Command {
 public:
  void describe(OptionList& list) override {
    list.add("settings", settings_, "settings file (TOML); docs/toy.md lists its keys",
             {.required = true, .positional = true});
    list.add("out", out_, "folder of the results", {.required = true});
    train_.describe(list);
    list.group("");
    list.add("expected", expected_,
             "CSV of quantity, architecture, density, least, most: an error if a number is outside");
    list.add("page-only", page_only_, "figures and checks of a finished run; nothing is trained");
    list.add("figures", figures_, "and their page, beside the tables; they need gnuplot");
    list.add("json", json_, "print the result as JSON");
  }

  void run(const Session& session) override {
    if (!figures_ && !expected_.empty()) {
      throw usage_error("{} needs {}", option_name("expected"), option_name("figures"));
    }
    const toy::SweepSettings settings = toy::read_sweep_settings(settings_);
    if (page_only_) {
      check_page(report::write_toy_page(out_));
      return;
    }
    machine::set_process_threads(train_.machine.n_threads);
    const toy::SweepResult result = toy::run_sweep(settings, out_, train_, session.console);
    toy::write_sweep(result, out_, train_, {session.invocation, !figures_});
    const report::ToyPage page = figures_ ? report::write_toy_page(out_) : report::ToyPage();
    for (const std::string& warning : result.warnings) session.console.line("warning: " + warning);
    print_result(result);
    check_page(page);
  }

 private:
  // Compares the numbers of a page with the expected ones.
  void check_page(const report::ToyPage& page) const {
    if (expected_.empty()) return;
    const report::CheckResult result = report::check_expectations(page.numbers, report::read_expectations(expected_));
    fmt::print(json_ ? stderr : stdout, "{}", result.text);
    if (result.n_failed > 0) throw input_error("{} numbers are not as expected", result.n_failed).at(out_.string());
  }

  void print_result(const toy::SweepResult& result) const {
    const std::vector<toy::SummaryRow> rows = toy::summarize(result);
    if (json_) {
      nlohmann::json json = {{"out", out_.string()},
                             {"models", result.instances.size()},
                             {"seconds", result.seconds},
                             {"warnings", result.warnings},
                             {"rows", toy::to_json(rows)}};
      fmt::print("{}\n", json.dump(2));
      return;
    }
    fmt::print("{}", toy::describe(rows));
    fmt::print("{}: {} models, {} in all\n", out_.string(),
               with_thousands(static_cast<std::int64_t>(result.instances.size())), format_duration(result.seconds));
  }

  std::filesystem::path settings_, out_, expected_;
  toy::TrainOptions train_;
  bool page_only_ = false;
  bool figures_ = true;
  bool json_ = false;
};

}  // namespace

const CommandEntry kToy = {"toy", "toy models of superposition: thousands of small mixtures of experts",
                           "Example: moescope toy experiments/superposition/phase/settings.toml --out runs/phase",
                           make<ToyCommand>};

}  // namespace moescope::cli
