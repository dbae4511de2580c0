// run.json: what was run, with which settings, what was skipped, how long it took. docs/run-directory.md is its list.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "moescope/engine/opened_model.h"
#include "moescope/engine/plan.h"
#include "moescope/io/option_json.h"
#include "moescope/record/record.h"
#include "moescope/record/recorder.h"
#include "moescope/record/resume.h"
#include "moescope/run/record_run.h"
#include "moescope/text/windows.h"

namespace moescope::record {

struct RunFacts {
  const engine::OpenedModel& model;
  const RecordOptions& options;
  const text::TokenCorpus& corpus;
  std::int64_t n_traced = 0;
};

// Options after defaults, and the dtype that was chosen: all, or what results depend on.
nlohmann::json settings_json(const RunFacts& facts, io::OptionChoice which);
// The part of the settings and the hashes that make a run: two runs with equal identities have equal results up to
// rounding. Memory, threads and the order of work are not part of it.
nlohmann::json identity_json(const RunFacts& facts);

run::RecordRun record_run(const RunFacts& facts, const Recorder& recorder, const engine::MemoryPlan& plan,
                          std::uint64_t budget_bytes, const Coverage& coverage);

}  // namespace moescope::record
