// moescope record: one pass over a corpus.
#include "moescope/record/record.h"

#include <cstdio>

#include "moescope/cli/command.h"
#include "moescope/cli/model_options.h"

namespace moescope::cli {
namespace {

class RecordCommand : public Command {
 public:
  void describe(OptionList& list) override {
    model_.describe(list);
    options_.describe(list);
    list.group("");
    list.add("json", json_, "print run.json");
  }
  void run(const Session& session) override {
    options_.invocation = session.invocation;
    const record::RecordSummary summary = record::record(model_.open(), options_, session.console);
    std::fputs(json_ ? (summary.run.dump(2) + "\n").c_str() : record::describe(summary).c_str(), stdout);
  }

 private:
  ModelOptions model_;
  record::RecordOptions options_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kRecord = {
    "record", "one pass over a corpus: statistics, evidence, routing trace",
    "Example: moescope record models/tiny-olmoe corpus.jsonl.zst --out runs/tiny --tokens 500000", make<RecordCommand>};

}  // namespace moescope::cli
