// moescope probe: k-sparse probes of every expert for every concept.
#include "moescope/analysis/probe/probe.h"

#include <cstdio>

#include "moescope/cli/command.h"
#include "moescope/cli/model_options.h"
#include "moescope/report/compare/compare.h"

namespace moescope::cli {
namespace {

// The aggregates of one run, in the words of `compare`.
std::string aggregates(const std::filesystem::path& run) {
  report::CompareOptions options;
  const report::ComparedModel model = report::read_model(run.string(), options);
  return report::describe(model, options);
}

class ProbeCommand : public Command {
 public:
  void describe(OptionList& list) override {
    model_.describe(list);
    options_.describe(list);
    list.group("");
    list.add("json", json_, "print run.json");
  }

  void run(const Session& session) override {
    options_.invocation = session.invocation;
    const analysis::probe::ProbeSummary summary = analysis::probe::probe(model_.open(), options_, session.console);
    if (json_) {
      std::fputs((summary.run.dump(2) + "\n").c_str(), stdout);
      return;
    }
    std::fputs(analysis::probe::describe(summary).c_str(), stdout);
    std::fputs(aggregates(summary.out).c_str(), stdout);
  }

 private:
  ModelOptions model_;
  analysis::probe::ProbeOptions options_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kProbe = {
    "probe", "k-sparse probes: how single-minded are an expert's neurons?",
    "Example: moescope probe models/tiny-olmoe corpus.jsonl.zst --tagged en.conllu --out runs/probes\n"
    "Then: moescope compare runs/probes other=runs/other --out runs/compared",
    make<ProbeCommand>};

}  // namespace moescope::cli
