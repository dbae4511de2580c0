// moescope superpose: how much a trained model's experts hold in superposition, beside null models.
#include "moescope/analysis/superpose/superpose.h"

#include <cstdio>

#include "moescope/cli/command.h"
#include "moescope/cli/model_options.h"
#include "moescope/report/superpose/figures.h"

namespace moescope::cli {
namespace {

class SuperposeCommand : public Command {
 public:
  void describe(OptionList& list) override {
    model_.describe(list);
    options_.describe(list);
    list.group("");
    list.add("figures", figures_, "beside the tables; they need gnuplot");
    list.add("json", json_, "print run.json");
  }

  void run(const Session& session) override {
    options_.invocation = session.invocation;
    options_.last_step = !figures_;
    const analysis::superpose::SuperposeResult result =
        analysis::superpose::superpose(model_.open(), options_, session.console);
    if (figures_) report::draw_superpose_figures(options_.out);
    std::fputs(json_ ? (result.run.dump(2) + "\n").c_str() : analysis::superpose::describe(result).c_str(), stdout);
  }

 private:
  ModelOptions model_;
  analysis::superpose::SuperposeOptions options_;
  bool figures_ = true;
  bool json_ = false;
};

}  // namespace

const CommandEntry kSuperpose = {
    "superpose", "superposition in a trained model's experts, beside null models",
    "Example: moescope superpose models/tiny-olmoe corpus.jsonl.zst --out runs/superposition", make<SuperposeCommand>};

}  // namespace moescope::cli
