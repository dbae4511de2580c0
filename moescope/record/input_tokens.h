// How often each token id was routed to each expert, sparse: memory follows the ids that occur, not the vocabulary.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "moescope/record/expert_batch.h"

namespace moescope::record {

struct TokenCount {
  std::int32_t token_id = 0;
  std::int64_t n = 0;
  bool operator==(const TokenCount&) const = default;
};

// Owns its lists. Not thread-safe.
class InputTokenCounts {
 public:
  explicit InputTokenCounts(const RecordShape& shape);

  void on_expert(const ExpertBatch& expert);
  // Adds what another part of the same corpus gave.
  void merge(const InputTokenCounts& other);
  // By ascending token id.
  const std::vector<TokenCount>& of(std::int64_t layer, std::int64_t expert) const {
    return counts_[shape_.idx(layer, expert)];
  }

  // State arrays own nothing: `storage` keeps them until they are written.
  struct Flat {
    std::vector<std::int64_t> n_of_expert;  // [L * E]
    std::vector<std::int32_t> token_id;     // of all experts, one after the other
    std::vector<std::int64_t> count;
  };
  Flat flatten(std::int64_t first_layer, std::int64_t end_layer) const;
  static void add_state(const Flat& storage, StateArrays& arrays);
  void load_state(const io::SafetensorsFile& state);
  // What the lists will need, for the memory plan: distinct ids grow with the square root of tokens (Heaps' law).
  static std::uint64_t estimate_bytes(const RecordShape& shape, std::int64_t n_tokens);

  // input_tokens.safetensors of the run directory.
  void write(const std::filesystem::path& path) const;

 private:
  RecordShape shape_;
  std::vector<std::vector<TokenCount>> counts_;  // [L * E]
  std::vector<std::int32_t> scratch_;            // [V], zero between calls
  std::vector<TokenCount> touched_;              // of one call
};

}  // namespace moescope::record
