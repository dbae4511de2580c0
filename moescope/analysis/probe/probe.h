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
#include <vector>

#include "moescope/analysis/probe/fit.h"
#include "moescope/analysis/probe/samples.h"
#include "moescope/base/progress.h"
#include "moescope/io/documents.h"
#include "moescope/io/tagged_text.h"
#include "moescope/run/run_directory.h"

namespace moescope::analysis::probe {

struct ProbeOptions {
  std::string model;                // folder, or org/name in the Hugging Face cache
  std::string corpus;               // path or "system"; empty: tagged text only
  std::vector<std::string> tagged;  // tagged texts, for parts of speech
  std::string shifted;              // corpus of another source; empty: no such control
  std::vector<std::string> shifted_tagged;
  std::filesystem::path concepts;  // empty: built in
  std::filesystem::path out;
  io::CorpusOptions corpus_options;
  io::TaggedOptions tagged_options;
  std::int64_t max_documents = 0;    // of each corpus, the first ones; 0: all
  std::vector<std::int64_t> layers;  // empty: all

  SampleOptions sample;
  FitOptions fit;
  std::uint64_t seed = 1;

  std::string device = "cpu", dtype = "auto";
  std::uint64_t memory_bytes = 0;  // 0: half of what is free
  std::int64_t max_wave_tokens = 0, max_batch_tokens = 0;
  int n_threads = 0;
  run::Invocation invocation;  // for run.json
};

struct ProbeSummary {
  std::filesystem::path out;
  nlohmann::json run;  // run.json
  bool already_complete = false;
};

// Throws kInput (model, corpus, concepts, settings, a directory of another run), kUsage, kEnvironment, kInterrupted.
ProbeSummary probe(const ProbeOptions& options, const Console& console);

// Lines for people: what was run, how many probes, what was left out.
std::string describe(const ProbeSummary& summary);

}  // namespace moescope::analysis::probe
