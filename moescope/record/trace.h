// The routing of the first tokens of a run: expert ids, weights and scores a layer, and the shared expert's weights and
// scores where there is one, collected in one file on disk (its
// place follows from token and layer, so batches may write in any order and a resumed run writes the same again) and
// put together as trace.safetensors at the end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "moescope/engine/tap.h"
#include "moescope/record/expert_batch.h"
#include "moescope/text/windows.h"

namespace moescope::record {

// Places [begin, end) in TokenCorpus::token_ids.
struct TokenRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// Owns the file. Not thread-safe.
class TraceFile {
 public:
  // Opens or creates `path` for the first n_traced tokens. Throws kEnvironment if it cannot be written.
  TraceFile(std::filesystem::path path, const RecordShape& shape, std::int64_t n_traced);
  ~TraceFile();
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  void on_routing(std::int64_t layer_idx, const model::Routing& routing);
  void on_expert(const ExpertBatch& expert);
  // Writes the rows of the batch that are traced. Throws kEnvironment if the disk is full.
  void on_layer_end(const engine::LayerView& view);
  // Takes the rows of those of the tokens that are traced from the file of another part of the same corpus, written for
  // as many traced tokens of a model of the same shape. Throws kInput if it ends before them.
  void merge(const std::filesystem::path& other, TokenRange tokens);
  // Everything written so far is on disk.
  void flush();

  // trace.safetensors of the run directory.
  void assemble(const std::filesystem::path& path, const text::TokenCorpus& corpus) const;

 private:
  enum Array { kIds, kWeights, kScores, kSharedWeights, kSharedScores };
  std::vector<Array> parts() const;          // of every layer's place in the file, in this order
  std::int64_t n_columns(Array part) const;  // values a token: K, or 1
  std::span<const std::byte> row_bytes(Array part, std::size_t begin, std::size_t end) const;  // of the batch's rows
  std::uint64_t offset(std::int64_t layer, Array part, std::int64_t token) const;
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  std::filesystem::path path_;
  RecordShape shape_;
  std::int64_t n_traced_;
  int descriptor_ = -1;
  std::vector<std::int32_t> ids_;                      // [N, K] of the batch
  std::vector<float> weights_, scores_;                // [N, K]
  std::vector<float> shared_weights_, shared_scores_;  // [N], 0 in a layer without a shared expert
};

}  // namespace moescope::record
