// Passes over text for the measures that need it: how often the router takes each expert, and class means of neurons.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/analysis/superpose/class_means.h"
#include "moescope/base/progress.h"
#include "moescope/engine/opened_model.h"
#include "moescope/io/documents.h"

namespace moescope::analysis::superpose {

// A finished pass. Owns everything.
struct Pass {
  text::TokenCorpus corpus;
  TokenClasses classes;
  std::vector<std::int64_t> class_token_ids;  // [C] where classes are token ids
  std::unique_ptr<ClassMeans> means;
  nlohmann::json facts;  // for run.json
};

struct TextPassOptions {
  std::string corpus;  // path or "system"
  io::CorpusOptions corpus_options;
  std::int64_t n_tokens = 50'000;
  std::int64_t context = 256;
  std::int64_t n_classes = 128;
  std::uint64_t seed = 1;
};

// The classes are the n_classes most frequent token ids of the text, ties to the lower id.
std::unique_ptr<Pass> text_pass(const engine::OpenedModel& model, const TextPassOptions& options,
                                const Console& console);

// The classes are the concepts of a run of `moescope probe`: its windows are run again, a concept's tokens are its
// positive samples. Throws kInput if the run is of another model or its files do not fit one another.
std::unique_ptr<Pass> probe_pass(const engine::OpenedModel& model, const std::filesystem::path& run, std::uint64_t seed,
                                 const Console& console);

// Share of a layer's routing decisions that each expert has, by layer; a layer sums to 1.
using Shares = std::vector<std::vector<double>>;
Shares shares_of(const ClassMeans& means, const model::ModelConfig& config);
// The same from experts.csv of a run of `moescope record`. Throws kInput if it is of another model or lacks an expert.
Shares shares_of_run(const std::filesystem::path& run, const model::ModelConfig& config, const std::string& model_hash);
// All experts of a layer alike.
Shares equal_shares(const model::ModelConfig& config);

}  // namespace moescope::analysis::superpose
