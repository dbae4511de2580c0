// What the embedded explainer reads of a run directory: traced tokens with their text and routing, the vocabulary, and
// the evidence windows. Everything is checked once here, so that later steps can trust indices.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::label {

struct TracedDocument {
  std::string id;
  std::string domain;  // "" if unknown
  std::string text;    // UTF-8; empty for documents without traced tokens
};

// All arrays [N], in corpus order.
struct TracedTokens {
  std::vector<std::int32_t> token_id;              // in [0, V)
  std::vector<std::int32_t> doc_idx;               // index into TracedRun::documents
  std::vector<std::int32_t> position;              // token index in its document
  std::vector<std::int32_t> context_position;      // index in the sequence that the model saw
  std::vector<std::int32_t> byte_begin, byte_end;  // in the document's text; begin <= end

  std::size_t size() const { return token_id.size(); }
};

// Routing of one layer. [N, K] row-major.
struct LayerRouting {
  std::vector<std::int32_t> expert_ids = {};  // in [0, E)
  std::vector<float> scores = {};             // finite, >= 0
  std::vector<float> shared_scores = {};      // [N], of the shared expert, finite, >= 0; empty in a layer without one
};

// Evidence windows, all layers; columns as in docs/run-directory.md.
struct TracedEvidence {
  static constexpr int kStrongest = 5, kPromoted = 3;
  std::vector<std::int32_t> layer, expert, kind, decile, doc_idx, position;  // [W]
  std::vector<std::int32_t> promoted;                                        // [W, 5, 3], -1: none
  std::size_t size() const { return layer.size(); }
};

// Owns everything but the routing, which is read a layer at a time. Safe to read from many threads.
struct TracedRun {
  int n_layers = 0;
  int n_experts = 0;  // E, routed ones; a shared expert has the number E
  int n_experts_per_token = 0;
  std::set<int> shared_layers;      // that have a shared expert besides
  std::set<int> dense_layers;       // every token reaches their one expert: nothing to explain, no label
  std::vector<std::string> pieces;  // text of token id i
  std::vector<TracedDocument> documents;
  TracedTokens tokens;
  std::function<LayerRouting(int layer_idx)> routing;
  TracedEvidence evidence;

  // The token's own bytes in its document.
  std::string_view text_of(std::size_t token_idx) const;
};

// Throws kInput that names file and tensor, line or key: something missing, misshapen, or pointing outside.
TracedRun read_traced_run(const std::filesystem::path& run_directory);

// The checks of read_traced_run on data that did not come from files (tests, other callers).
void check_traced_run(const TracedRun& run, const std::string& place);

// A maximal run of tokens that the model saw as one sequence: same document, positions rising by one.
struct Context {
  std::size_t begin = 0, end = 0;  // token indices
  std::int32_t doc_idx = 0;
};
std::vector<Context> contexts_of(const TracedTokens& tokens);

}  // namespace moescope::label
