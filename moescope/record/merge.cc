#include "moescope/record/merge.h"

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/engine/batch.h"
#include "moescope/io/safetensors.h"

namespace moescope::record {
namespace {

namespace fs = std::filesystem;

struct Shard {
  fs::path folder;
  io::SafetensorsFile state;
  Coverage coverage;
};

Shard open_shard(const fs::path& folder, const nlohmann::json& identity, std::int64_t n_sequences) {
  const ResumeFolder resume(folder);
  if (!resume.has_state()) throw input_error("{}: no saved state of a recording", folder.string());
  io::SafetensorsFile state = resume.open_state(identity);
  const Coverage coverage = ResumeFolder::coverage_of(state);
  const std::int64_t begin = coverage.first_sequence, end = coverage.next_sequence;
  if (begin < 0 || begin >= end || end > n_sequences) {
    throw input_error("{} stands at sequences {} to {} of a run of {}", folder.string(), begin, end, n_sequences);
  }
  return {folder, std::move(state), coverage};
}

// Shards by their place: each must begin where the one before it ends.
void check_complete(const std::vector<Shard>& shards, std::int64_t n_sequences) {
  const auto refuse_gap = [&](std::int64_t begin, std::int64_t end, const Shard* before) {
    Error error = input_error("sequences {} to {} of {} are in none of the shards", begin, end, n_sequences);
    if (before != nullptr) error = error.hint(before->folder.string() + " ends there: is it finished?");
    throw error;
  };
  std::int64_t next = 0;
  const Shard* before = nullptr;
  for (const Shard& shard : shards) {
    const std::int64_t begin = shard.coverage.first_sequence, end = shard.coverage.next_sequence;
    if (begin > next) refuse_gap(next, begin, before);
    if (begin < next) {
      throw input_error("{} and {} both hold sequences {} to {}", before->folder.string(), shard.folder.string(), begin,
                        std::min(next, end));
    }
    next = end;
    before = &shard;
  }
  if (next < n_sequences) refuse_gap(next, n_sequences, before);
}

}  // namespace

Coverage merge_shards(const std::vector<fs::path>& shards, const nlohmann::json& identity,
                      const text::TokenCorpus& corpus, Recorder& whole) {
  const std::int64_t n_sequences = engine::all_sequences(corpus).end;
  std::vector<Shard> opened;
  for (const fs::path& folder : shards) opened.push_back(open_shard(folder, identity, n_sequences));
  std::sort(opened.begin(), opened.end(),
            [](const Shard& a, const Shard& b) { return a.coverage.first_sequence < b.coverage.first_sequence; });
  check_complete(opened, n_sequences);
  Coverage together;
  for (const Shard& shard : opened) {
    const Coverage& coverage = shard.coverage;
    whole.merge(shard.state, ResumeFolder(shard.folder).path(),
                {engine::first_token_of(corpus, coverage.first_sequence),
                 engine::first_token_of(corpus, coverage.next_sequence)});
    together.next_sequence = coverage.next_sequence;
    together.n_waves += coverage.n_waves;
    together.seconds += coverage.seconds;
  }
  return together;
}

}  // namespace moescope::record
