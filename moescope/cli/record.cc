#include "moescope/record/record.h"

#include <cstdio>
#include <memory>

#include "moescope/cli/command.h"
#include "moescope/cli/record_flags.h"
#include "moescope/cli/settings_file.h"
#include "moescope/io/run_directory.h"

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
    apply_settings_file(command, flags->settings);
    const record::RecordSummary summary = record::record(open_model(flags->model), flags->options, session.console);
    io::write_file_atomically(summary.out / "DONE", "");
    std::fputs(flags->json ? (summary.run.dump(2) + "\n").c_str() : record::describe(summary).c_str(), stdout);
  });
}

}  // namespace moescope::cli
