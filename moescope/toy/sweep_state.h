// What a sweep leaves behind while it runs: one safetensors file below OUT/resume for every finished group
// of instances, so that a stopped sweep goes on where it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "moescope/toy/sweep.h"

namespace moescope::toy {

class SweepState {
 public:
  // OUT/resume exists, and is of the same settings (run/run_directory.h).
  SweepState(const std::filesystem::path& out, const SweepSettings& settings);

  // Fills in the trained instances that are there; returns which, [instances]. seconds() is then that of earlier runs.
  std::vector<bool> load(std::vector<SweepInstance>& instances);
  double seconds() const { return seconds_; }

  // `members`: indices into the sweep's instances, all of one architecture, of `group`. `seconds`: of all runs so far.
  void save(std::span<const std::size_t> members, std::span<const TrainedInstance> group, double seconds) const;

 private:
  void load_group(const std::filesystem::path& path, std::vector<SweepInstance>& instances, std::vector<bool>& done);

  std::filesystem::path folder_;
  const SweepSettings& settings_;
  double seconds_ = 0;
};

}  // namespace moescope::toy
