// Files of a probe run: tables of one layer (kept while the run goes on), and all layers' put together.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "moescope/analysis/probe/fit.h"
#include "moescope/run/probe_files.h"
#include "moescope/text/concepts.h"

namespace moescope::analysis::probe {

const char* kind_of(bool is_dense, bool is_shared);  // the words of run/record_files.h

// One row a probe, main and controls (variant `main` stands only here, while the run goes on).
std::vector<run::ProbeControlRow> probe_rows(const std::vector<ProbeRecord>& records,
                                             const text::ConceptLibrary& concepts);

// Saved layers.
class LayerFiles {
 public:
  explicit LayerFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  bool has(std::int64_t layer) const;
  void save(std::int64_t layer, const std::vector<run::ProbeControlRow>& probes,
            const std::vector<run::ProbeExpertRow>& experts) const;

  struct Counts {
    std::int64_t n_probes = 0, n_fitted = 0, n_too_few = 0, n_other = 0;  // of main
    std::int64_t n_not_converged = 0;
    std::optional<double> mean_active_neurons;  // over experts but shared ones, weighted by tokens
  };
  // Writes the tables of run/probe_files.h into `out`.
  Counts assemble(const std::vector<std::int64_t>& layers, const std::filesystem::path& out) const;

 private:
  std::filesystem::path probes_path(std::int64_t layer) const;
  std::filesystem::path experts_path(std::int64_t layer) const;
  std::filesystem::path folder_;
};

}  // namespace moescope::analysis::probe
