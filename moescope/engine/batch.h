// The order of work: which sequences form a wave, which of them pass a layer together, and what each row stands for.
//
// A wave is a run of consecutive sequences that passes every layer before the next wave starts. Inside a wave,
// sequences are sorted by falling length and cut into batches: attention takes the sequences of one length of a batch
// as one [B, T, D] tensor without padding; everything else runs on the batch's flat rows [N, D]. A window of the
// corpus always lies in one batch, on consecutive rows.
#pragma once

#include <cstdint>
#include <vector>

#include "moescope/model/layer.h"
#include "moescope/text/windows.h"

namespace moescope::engine {

struct BatchWindow {
  std::int64_t window_idx = 0;  // number in the corpus
  std::int32_t first_row = 0;
  std::int32_t n_tokens = 0;
  std::int32_t doc_idx = 0;
  std::int32_t position = 0;  // of its first token in the document
};

// Owns its arrays. Rows of a sequence are consecutive and ascending in position.
struct Batch {
  std::int64_t first_row = 0;                  // in the wave
  std::int64_t n_tokens = 0;                   // N
  std::vector<std::int32_t> token_ids;         // [N]
  std::vector<std::int64_t> token_idx;         // [N], place in TokenCorpus::token_ids
  std::vector<std::int32_t> position;          // [N], in the document
  std::vector<std::int32_t> context_position;  // [N], in the sequence
  std::vector<std::int32_t> doc_idx;           // [N]
  std::vector<std::int32_t> window_of_row;     // [N], into windows
  std::vector<std::int32_t> next_token_id;     // [N], of the sequence, -1 at its end
  std::vector<BatchWindow> windows;
  std::vector<model::EqualLengths> lengths;
};

// Sequences [begin, end) of a corpus.
struct SequenceRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};
SequenceRange all_sequences(const text::TokenCorpus& corpus);
// Throws kInput unless 0 <= begin < end <= the number of sequences.
void check_range(const text::TokenCorpus& corpus, SequenceRange range);
// Places in TokenCorpus::token_ids of the first token of a sequence; of the corpus' end for the number of sequences.
std::int64_t first_token_of(const text::TokenCorpus& corpus, std::int64_t sequence_idx);

struct Wave {
  std::int64_t first_sequence = 0;
  std::int64_t end_sequence = 0;
  std::int64_t n_tokens = 0;
};

// The wave at the start of `left`, which is not empty: as many sequences of it as fit max_tokens, at least one.
Wave next_wave(const text::TokenCorpus& corpus, SequenceRange left, std::int64_t max_tokens);

// The batches of a wave, each of at most max_tokens rows (or one sequence).
std::vector<Batch> cut_batches(const text::TokenCorpus& corpus, const Wave& wave, std::int64_t max_tokens);

}  // namespace moescope::engine
