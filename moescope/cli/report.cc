// moescope report: one HTML page from a run directory.
#include "moescope/report/run/report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "moescope/cli/command.h"

namespace moescope::cli {
namespace {

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

class ReportCommand : public Command {
 public:
  void describe(OptionList& list) override {
    options_.describe(list);
    list.add("json", json_, "print the result as JSON");
  }
  void run(const Session& session) override {
    const ReportResult result = write_report(options_, session.console);
    if (json_) {
      std::printf("%s\n", as_json(result).dump(2).c_str());
    } else {
      print(result);
    }
  }

 private:
  report::ReportOptions options_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kReport = {"report", "one HTML page from a run directory",
                              "Example: moescope report runs/olmoe --out olmoe.html", make<ReportCommand>};

}  // namespace moescope::cli
