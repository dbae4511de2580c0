// The saved state of a recording between two waves: which run it is, where it stands, what was summed so far.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "moescope/record/recorder.h"

namespace moescope::record {

// What a saved state covers: sequences [first_sequence, next_sequence) of the run. The first is 0 but for a shard, a
// part of a run that is recorded by itself (merge.h).
struct Coverage {
  std::int64_t first_sequence = 0, next_sequence = 0;
  std::int64_t n_waves = 0;
  double seconds = 0;  // of running, over all sittings
};

// RUN/resume: state.safetensors and the trace. Not thread-safe.
class ResumeFolder {
 public:
  explicit ResumeFolder(const std::filesystem::path& run_dir) : folder_(run_dir / "resume") {}

  const std::filesystem::path& path() const { return folder_; }
  bool has_state() const;
  // Everything is in one file, so that a kill leaves the state before or the state after.
  void save(Recorder& recorder, const nlohmann::json& identity, const Coverage& coverage) const;
  // Throws kInput if the state is that of another run, or of a shard that does not begin where the run does.
  Coverage load(Recorder& recorder, const nlohmann::json& identity) const;
  void check_identity(const nlohmann::json& identity) const;
  // The saved state, and where it stands. Throws kInput if there is none, or it is that of another run.
  io::SafetensorsFile open_state(const nlohmann::json& identity) const;
  static Coverage coverage_of(const io::SafetensorsFile& state);

 private:
  std::filesystem::path state_file() const { return folder_ / "state.safetensors"; }
  std::filesystem::path folder_;
};

}  // namespace moescope::record
