// Files of a probe run: tables of one layer (kept while the run goes on), and all layers' put together.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "moescope/analysis/probe/fit.h"
#include "moescope/io/table.h"
#include "moescope/text/concepts.h"

namespace moescope::analysis::probe {

const char* kind_of(const ExpertNeurons& expert);  // "routed", "dense", "shared"

struct ExpertRecord {
  std::int64_t layer = 0, expert = 0;
  std::string kind;
  std::int64_t n_neurons = 0, n_tokens = 0;  // n_tokens: sampled ones that reached it
  std::optional<double> mean_active_neurons;
};

// concept, category, layer, expert, k, f1, recall, precision, num_positive, num_negative, validation_f1, variant,
// status, n_steps.
io::Table record_table(const std::vector<ProbeRecord>& records, const text::ConceptLibrary& concepts);
io::Table expert_table(const std::vector<ExpertRecord>& experts);

// Saved layers.
class LayerFiles {
 public:
  explicit LayerFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  bool has(std::int64_t layer) const;
  void save(std::int64_t layer, const io::Table& records, const io::Table& experts) const;

  struct Counts {
    std::int64_t n_probes = 0, n_fitted = 0, n_too_few = 0, n_other = 0;  // of main
    std::int64_t n_not_converged = 0;
    std::optional<double> mean_active_neurons;  // over experts, weighted by their tokens
  };
  // Writes probes.csv, probes.parquet, probe_controls.csv, .parquet, probe_experts.csv, .parquet into `out`.
  Counts assemble(const std::vector<std::int64_t>& layers, const std::filesystem::path& out) const;

 private:
  std::filesystem::path records_path(std::int64_t layer) const;
  std::filesystem::path experts_path(std::int64_t layer) const;
  std::filesystem::path folder_;
};

}  // namespace moescope::analysis::probe
