// F1 of k-sparse probes by concept, k, layer and expert, read from what `moescope probe` wrote or from a published
// file.
//
// run/probe_files.h tells the columns, and reads the published form too. Shared experts, which every token reaches
// besides those chosen for it, are a table of their own, so that aggregates are about experts that a router chooses.
// Source: the result files of "The Expert Strikes Back" (arXiv 2604.02178).
// Non-goals: fitting probes (stats/sparse_probe.h), aggregates (probe_aggregates.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/probe_files.h"

namespace moescope::report {

struct ProbeScore {
  std::int32_t expert = 0;  // 0 for a dense layer
  double f1 = 0;
  std::optional<double> validation_f1;  // of control `select` only
};

// The fitted probes of one concept at one k: by layer, in rising order of experts. Layers are numbered by place, not by
// name: ProbeTable::layers tells their names.
using LayerScores = std::vector<std::vector<ProbeScore>>;

// Owns everything. Immutable after reading.
struct ProbeTable {
  std::vector<std::string> concepts;    // sorted
  std::vector<std::int32_t> ks;         // rising
  std::vector<std::int64_t> layers;     // rising
  std::vector<std::int64_t> n_experts;  // by layer: experts with a row
  bool is_dense = false;                // every row is of a dense layer
  std::int64_t n_rows = 0, n_missing = 0;
  std::vector<std::vector<LayerScores>> scores;  // [concept][k]

  std::optional<std::size_t> concept_idx(const std::string& name) const;
};

// Throws kInput for a probe that is there twice, or no rows at all.
ProbeTable make_probe_table(const std::vector<run::ProbeControlRow>& rows);

// A CSV file (also .gz, .zst). Throws kInput naming file, row and column for what does not fit. The first reads all
// experts but shared ones; the second reads those, and is empty where there are none.
ProbeTable read_probe_csv(const std::filesystem::path& path);
std::optional<ProbeTable> read_shared_probes(const std::filesystem::path& path);

// The tables of a file with a further column `variant`, by its words, without shared experts. Empty if the file does
// not exist.
std::map<std::string, ProbeTable> read_probe_controls(const std::filesystem::path& path);

}  // namespace moescope::report
