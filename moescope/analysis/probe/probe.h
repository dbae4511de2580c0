// `moescope probe`: one pass of windows of text through a model, then k-sparse probes of every expert for every
// concept.
//
// Resumable by layer: the results of a layer are saved when it is fitted, and the same call on the same directory runs
// the rest. A directory of another run is never touched. Files: docs/run-directory.md, "probe".
// Source: "The Expert Strikes Back" (arXiv 2604.02178), section 4; controls are this project's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "moescope/analysis/probe/options.h"
#include "moescope/base/progress.h"
#include "moescope/engine/opened_model.h"

namespace moescope::analysis::probe {

struct ProbeSummary {
  std::filesystem::path out;
  nlohmann::json run;  // run.json
  bool already_complete = false;
};

// Throws kInput (corpus, tokenizer, concepts, settings, a directory of another run), kUsage, kEnvironment,
// kInterrupted.
ProbeSummary probe(const engine::OpenedModel& model, const ProbeOptions& options, const Console& console);

// Lines for people: what was run, how many probes, what was left out.
std::string describe(const ProbeSummary& summary);

}  // namespace moescope::analysis::probe
