// run.json: what was run, with which settings, what was skipped, how long it took. docs/run-directory.md is its list.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "moescope/engine/plan.h"
#include "moescope/model/weights.h"
#include "moescope/record/record.h"
#include "moescope/record/recorder.h"
#include "moescope/record/resume.h"
#include "moescope/run/record_run.h"
#include "moescope/text/windows.h"

namespace moescope::record {

// Hashes that say which model and corpus a run is of.
struct RunHashes {
  std::string model, tokenizer;
};

struct RunFacts {
  const RecordOptions& options;
  const model::Checkpoint& checkpoint;
  const text::TokenCorpus& corpus;
  const RunHashes& hashes;
  std::string dtype;  // in which the model ran
  std::int64_t n_traced = 0;
};

// Every option after defaults.
nlohmann::json settings_json(const RunFacts& facts);
// The part of the settings and the hashes that make a run: two runs with equal identities have equal results up to
// rounding. Memory, threads and the order of work are not part of it.
nlohmann::json identity_json(const RunFacts& facts);

run::RecordRun record_run(const RunFacts& facts, const Recorder& recorder, const engine::MemoryPlan& plan,
                          std::uint64_t budget_bytes, const Standing& standing);

}  // namespace moescope::record
