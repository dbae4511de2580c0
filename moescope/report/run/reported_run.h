// A run directory (docs/run-directory.md) as the report sees it: every table and tensor read, shapes and ranges
// checked.
//
// Goals: required files that are absent or wrong are one clear error; optional ones that are absent are remembered with
// a reason, so that the page can say it. Non-goals: computing anything that record or label has not computed, except
// sums over input-token counts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace moescope::report {

// One row of experts.csv.
struct ReportedExpert {
  std::string status = "not_recorded";  // ok, rare, never; not_recorded: the table has no such row
  std::optional<std::int64_t> n_tokens, n_windows;
  std::optional<double> load_frac, mean_weight, mean_score, mean_output_norm, active_neuron_frac, active_neuron_frac_01;
};

// One row of layers.csv.
struct ReportedLayer {
  std::optional<std::int64_t> n_tokens, n_never_used;
  std::optional<double> router_entropy_bits, router_margin, load_entropy_bits, load_max_over_mean;
};

struct DomainCount {
  int domain_idx = 0;  // into ReportedRun::domains
  std::int64_t n_tokens = 0;
  std::optional<double> share_of_domain_frac;
};

struct TokenTally {
  std::int32_t token_id = 0;
  std::int64_t n = 0;
};

// evidence.safetensors: W windows of S tokens; window w of an array is [w * S, (w + 1) * S).
struct ReportedEvidence {
  std::int64_t n_windows = 0, n_positions = 0, n_strongest = 0, n_promoted = 0;  // W, S, 5, 3
  std::vector<std::int32_t> kind, decile, doc_idx, position, length;             // [W]
  std::vector<float> strength;                                                   // [W], >= 0
  std::vector<std::int32_t> token_ids;                                           // [W, S], -1 behind the end
  std::vector<float> scores;                                                     // [W, S], >= 0; 0: not routed here
  std::vector<std::int32_t> strongest;                                           // [W, 5], -1: fewer
  std::vector<std::int32_t> promoted;                                            // [W, 5, 3], -1: none
  std::vector<std::vector<std::int64_t>> rows;                                   // [L * E], windows of each expert
};

struct DocumentHead {
  std::string id, domain;
};

// Owns everything. An expert's index is layer * n_columns() + expert. Arrays [L, E] have one more column where the
// model has shared experts: their number is E, behind the routed ones.
struct ReportedRun {
  std::filesystem::path folder;
  nlohmann::json run;                                        // run.json
  nlohmann::json label_summary;                              // null if absent
  std::map<std::string, std::string> missing;                // optional file -> why the page goes without it
  int n_layers = 0, n_experts = 0, n_experts_per_token = 0;  // n_experts: E, routed ones
  bool has_shared = false;
  std::vector<std::string> pieces;                      // [V]
  std::vector<ReportedExpert> experts;                  // [L * E]
  std::vector<ReportedLayer> layers;                    // [L]; empty if absent
  std::vector<std::string> domains;                     // names
  std::vector<std::vector<DomainCount>> by_domain;      // [L * E]; empty if absent
  std::vector<std::vector<TokenTally>> input_tokens;    // [L * E], by descending n; empty if absent
  std::vector<std::vector<std::int64_t>> coactivation;  // [L][E * E]; empty if absent
  std::optional<ReportedEvidence> evidence;
  std::map<std::int32_t, DocumentHead> documents;  // those that evidence windows come from
  std::vector<nlohmann::json> labels;              // [L * E], null where there is none; empty if absent

  int n_columns() const { return n_experts + (has_shared ? 1 : 0); }
  std::size_t expert_idx(std::int64_t layer, std::int64_t expert) const {
    return static_cast<std::size_t>(layer * n_columns() + expert);
  }
  std::size_t n_all_experts() const {
    return static_cast<std::size_t>(n_layers) * static_cast<std::size_t>(n_columns());
  }
  std::int64_t n_labelled() const;  // labels with status ok
};

// Throws kInput, naming file and row, line or tensor: run.json, vocabulary.json or experts.csv absent; any file that
// contradicts the contract or run.json.
ReportedRun read_reported_run(const std::filesystem::path& folder);

}  // namespace moescope::report
