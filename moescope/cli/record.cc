#include "moescope/record/record.h"

#include <cstdio>
#include <memory>

#include "moescope/cli/command.h"
#include "moescope/cli/record_flags.h"

namespace moescope::cli {

void add_record(CLI::App& command, const Session& session) {
  struct Flags : RecordFlags {
    bool json = false;
  };
  const auto flags = std::make_shared<Flags>();
  add_record_flags(command, *flags);
  command.add_flag("--json", flags->json, "print run.json");
  command.footer("Example: moescope record models/tiny-olmoe corpus.jsonl.zst --out runs/tiny --tokens 500000");
  command.callback([flags, &command, &session] {
    record::RecordOptions options = finish(command, *flags);
    options.invocation = session.invocation;
    const record::RecordSummary summary = record::record(options, session.console);
    std::fputs(flags->json ? (summary.run.dump(2) + "\n").c_str() : record::describe(summary).c_str(), stdout);
  });
}

}  // namespace moescope::cli
