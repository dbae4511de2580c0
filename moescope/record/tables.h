// Writes the tables and tensors of a finished recording into the run directory (docs/run-directory.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/record/evidence.h"
#include "moescope/record/recorder.h"
#include "moescope/run/record_files.h"
#include "moescope/text/tokenizer.h"

namespace moescope::record {

// experts, layers and domains (run/record_files.h); n_windows_wanted tells rare experts.
void write_counter_tables(const std::filesystem::path& folder, const Recorder& recorder, std::int64_t n_windows_wanted);
void write_coactivation(const std::filesystem::path& folder, const Recorder& recorder);

// How many experts are never used, and how many have fewer windows than asked for.
struct RareExperts {
  std::int64_t n_never = 0, n_rare = 0;
};
RareExperts count_rare(const Recorder& recorder, std::int64_t n_windows_wanted);

// evidence.safetensors and, where built in, evidence.parquet. promoted: as lens.h gives it.
void write_evidence(const std::filesystem::path& folder, const std::vector<KeptWindow>& windows,
                    const std::vector<std::int32_t>& promoted, const text::TokenCorpus& corpus,
                    const RecordShape& shape, const std::vector<std::string>& pieces);

// Who an expert is, as the tables name it.
run::ExpertId expert_id(const RecordShape& shape, std::int64_t layer, std::int64_t expert);

// The bytes every token id stands for as text, invalid UTF-8 as U+FFFD; ids that the tokenizer does not have are "".
std::vector<std::string> vocabulary(const text::Tokenizer& tokenizer, std::int64_t d_vocab);
void write_documents(const std::filesystem::path& folder, const text::TokenCorpus& corpus, const Domains& domains,
                     std::int64_t n_traced);

}  // namespace moescope::record
