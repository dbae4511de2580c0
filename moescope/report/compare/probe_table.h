// F1 of k-sparse probes by concept, k, layer and expert, read from what `moescope probe` wrote or from a published
// file.
//
// A file has the columns concept,layer,expert,k,f1,recall,precision,num_positive,num_negative; `expert` is a number,
// "dense" or "shared" (which every token reaches besides the experts chosen for it: a table of its own, so that
// aggregates over experts are about those that a router chooses). Published files hold the words "Not Enough Samples"
// where a number is missing; ours leave the field empty. Source: the result files of "The Expert Strikes Back" (arXiv
// 2604.02178). Non-goals: fitting probes (stats/sparse_probe.h), aggregates (probe_aggregates.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

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
  bool is_dense = false;                // every row says "dense"
  std::int64_t n_rows = 0, n_missing = 0;
  std::vector<std::vector<LayerScores>> scores;  // [concept][k]

  std::optional<std::size_t> concept_idx(const std::string& name) const;
};

// The columns that are needed, filled row by row; `variant` and `validation_f1` only for controls.
struct ProbeRow {
  std::string concept_name;
  std::int64_t layer = 0, expert = 0, k = 0;
  bool is_dense = false, is_shared = false;
  std::optional<double> f1, validation_f1;
};

// Throws kInput for a probe that is there twice, or no rows at all.
ProbeTable make_probe_table(const std::vector<ProbeRow>& rows);

// A CSV file (also .gz, .zst). Throws kInput naming file, line and column for what does not fit the form above. The
// first reads all experts but shared ones; the second reads those, and is empty where there are none.
ProbeTable read_probe_csv(const std::filesystem::path& path);
std::optional<ProbeTable> read_shared_probes(const std::filesystem::path& path);

// The tables of a file with a further column `variant`, by its words, without shared experts. Empty if the file does
// not exist.
std::map<std::string, ProbeTable> read_probe_controls(const std::filesystem::path& path);

}  // namespace moescope::report
