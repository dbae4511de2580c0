// What `moescope probe` can be told.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/analysis/probe/fit.h"
#include "moescope/analysis/probe/samples.h"
#include "moescope/base/options.h"
#include "moescope/io/documents.h"
#include "moescope/io/tagged_text.h"
#include "moescope/run/run_directory.h"

namespace moescope::analysis::probe {

struct ProbeOptions {
  std::string corpus;                         // path or "system"; empty: tagged text only
  std::vector<std::filesystem::path> tagged;  // tagged texts, for parts of speech
  std::string shifted;                        // corpus of another source; empty: no such control
  std::vector<std::filesystem::path> shifted_tagged;
  std::filesystem::path concepts;  // empty: built in
  std::filesystem::path out;
  io::CorpusOptions corpus_options;
  io::TaggedOptions tagged_options;
  std::int64_t max_documents = 0;    // of each corpus, the first ones; 0: all
  std::vector<std::int64_t> layers;  // empty: all

  SampleOptions sample;
  FitOptions fit;
  std::uint64_t seed = 1;

  std::int64_t max_wave_tokens = 0;  // 0: from the memory budget

  void describe(OptionList& list);

  // For those who call the library.
  std::int64_t max_batch_tokens = 0;  // 0: from the memory budget
  run::Invocation invocation;         // for run.json
};

// Every option by itself and what does not go together. Throws kUsage.
void check(const ProbeOptions& options);

}  // namespace moescope::analysis::probe
