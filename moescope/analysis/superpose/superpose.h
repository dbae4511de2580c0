// `moescope superpose`: the measures of superposition of the toy models on a trained Mixture-of-Experts language model.
//
// What a feature is, and in which dimensions it lies, is said in sets.h; the numbers in geometry.h; the null models in
// sets.h and class_means.h. Means over experts are weighted by how often the router takes them. Dense layers count as
// one expert. Files: docs/superposition.md. Shared experts are not measured, which run.json says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/analysis/superpose/tables.h"
#include "moescope/base/progress.h"
#include "moescope/engine/opened_model.h"
#include "moescope/io/documents.h"
#include "moescope/run/run_directory.h"
#include "moescope/run/superpose_files.h"

namespace moescope::analysis::superpose {

struct SuperposeOptions {
  std::string corpus;  // path or "system"; empty: no text sets
  io::CorpusOptions corpus_options;
  std::filesystem::path out;
  std::filesystem::path run;     // of `record`, for the use of experts; not with a corpus
  std::filesystem::path probes;  // of `probe`, for concepts
  std::int64_t n_tokens = 50'000;
  std::int64_t context = 256;
  std::int64_t n_features = 128;   // token features: the most frequent ones, or random ones without a corpus
  std::int64_t least_tokens = 10;  // of a class in an expert, for text sets
  std::int64_t n_draws = 5;        // of each null model
  std::int64_t n_resamples = 2000;
  std::uint64_t seed = 1;

  void describe(OptionList& list);

  // For those who call the library.
  run::Invocation invocation;  // for run.json
  bool last_step = true;       // false: figures follow at once, and whoever draws them writes DONE
};

struct SuperposeResult {
  bool already_complete = false;  // nothing was run, and `experts` is empty
  std::vector<MeasuredSet> experts;
  std::vector<run::SuperpositionSummaryRow> summaries;
  nlohmann::json run;  // run.json
};

// Writes superposition.csv, summary.csv (run/superpose_files.h) and run.json; a finished folder of the same run is left
// as it is. Throws kInput (a folder of another run, ...), kUsage, kEnvironment, kInterrupted.
// The model's dtype is that of the passes; weights are measured in float32.
SuperposeResult superpose(const engine::OpenedModel& model, const SuperposeOptions& options, const Console& console);

// Lines for people: the model's mean dimensionality and features per dimension by set, beside the null models.
std::string describe(const SuperposeResult& result);

}  // namespace moescope::analysis::superpose
