// `moescope record`: one pass of a corpus through a model, everything the analyses need into a run directory.
//
// Resumable: state is saved between waves in RUN/resume; the same call on the same directory goes on where the last
// saved wave ended, and a finished recording is left as it is. A directory of another run is never touched.
// Contract of the files: docs/run-directory.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "moescope/base/progress.h"
#include "moescope/engine/opened_model.h"
#include "moescope/io/documents.h"
#include "moescope/run/run_directory.h"

namespace moescope::record {

struct RecordOptions {
  std::string corpus;         // path, or "system"
  std::filesystem::path out;  // run directory
  io::CorpusOptions corpus_options;

  std::int64_t n_tokens = 2'000'000;      // of the corpus; 0: all
  std::int64_t context = 256;             // tokens the model sees together; lowered to the model's own limit
  std::int64_t window = 32;               // tokens of an evidence window
  std::int64_t n_strongest = 40;          // strongest windows kept for an expert
  std::int64_t n_reservoir = 100;         // windows sampled for an expert, to tell the deciles of strength
  std::int64_t n_per_decile = 4;          // of them kept
  std::int64_t n_trace_tokens = 300'000;  // first tokens of the run whose routing is written
  bool lens_final_norm = false;           // promoted tokens through the final norm's scale
  bool loss = true;                       // mean next-token loss (costs the unembedding for every token)
  bool shuffle = true;                    // documents in a seeded random order
  std::uint64_t seed = 1;

  std::int64_t max_wave_tokens = 0;  // 0: from the memory budget

  void describe(OptionList& list);

  // For those who call the library.
  std::int64_t max_batch_tokens = 0;                                          // 0: from the memory budget
  std::function<void(std::int64_t n_waves)> wave_done = [](std::int64_t) {};  // called behind each wave
  double max_save_frac = 0.1;  // of the time spent on saving state: waves go unsaved while it would be more
  run::Invocation invocation;  // for run.json
  bool last_step = true;       // false: another step follows at once and writes DONE
};

struct RecordSummary {
  std::filesystem::path out;
  bool already_complete = false;  // nothing was run
  bool resumed = false;
  nlohmann::json run;                    // run.json
  std::int64_t n_never = 0, n_rare = 0;  // experts without tokens, with few windows
};

// Throws kInput (corpus, tokenizer, settings, a directory of another run), kEnvironment (disk, memory), kInterrupted
// (state saved).
RecordSummary record(const engine::OpenedModel& model, const RecordOptions& options, const Console& console);

// Lines for people: what was run, how fast, what was skipped.
std::string describe(const RecordSummary& summary);

}  // namespace moescope::record
