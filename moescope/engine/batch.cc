#include "moescope/engine/batch.h"

#include <algorithm>
#include <numeric>

#include "moescope/base/error.h"

namespace moescope::engine {
namespace {

const text::Sequence& sequence_at(const text::TokenCorpus& corpus, std::int64_t idx) {
  return corpus.sequences[static_cast<std::size_t>(idx)];
}

void add_windows(Batch& batch, const text::TokenCorpus& corpus, const text::Sequence& sequence) {
  std::int64_t window_idx = sequence.first_window;
  for (std::int64_t begin = 0; begin < sequence.n_tokens; begin += corpus.window, ++window_idx) {
    BatchWindow window;
    window.window_idx = window_idx;
    window.first_row = static_cast<std::int32_t>(batch.n_tokens + begin);
    window.n_tokens = static_cast<std::int32_t>(std::min<std::int64_t>(corpus.window, sequence.n_tokens - begin));
    window.doc_idx = sequence.doc_idx;
    window.position = sequence.position + static_cast<std::int32_t>(begin);
    const auto place = static_cast<std::int32_t>(batch.windows.size());
    batch.window_of_row.insert(batch.window_of_row.end(), static_cast<std::size_t>(window.n_tokens), place);
    batch.windows.push_back(window);
  }
}

void add_sequence(Batch& batch, const text::TokenCorpus& corpus, const text::Sequence& sequence) {
  if (batch.lengths.empty() || batch.lengths.back().n_positions != sequence.n_tokens) {
    batch.lengths.push_back({batch.n_tokens, 0, sequence.n_tokens});
  }
  ++batch.lengths.back().n_sequences;
  add_windows(batch, corpus, sequence);
  for (std::int32_t i = 0; i < sequence.n_tokens; ++i) {
    const std::int64_t token_idx = sequence.first_token + i;
    const auto at = static_cast<std::size_t>(token_idx);
    batch.token_ids.push_back(corpus.token_ids[at]);
    batch.token_idx.push_back(token_idx);
    batch.position.push_back(sequence.position + i);
    batch.context_position.push_back(i);
    batch.doc_idx.push_back(sequence.doc_idx);
    batch.next_token_id.push_back(i + 1 < sequence.n_tokens ? corpus.token_ids[at + 1] : -1);
  }
  batch.n_tokens += sequence.n_tokens;
}

}  // namespace

SequenceRange all_sequences(const text::TokenCorpus& corpus) {
  return {0, static_cast<std::int64_t>(corpus.sequences.size())};
}

void check_range(const text::TokenCorpus& corpus, SequenceRange range) {
  const std::int64_t n_sequences = all_sequences(corpus).end;
  if (range.begin >= 0 && range.begin < range.end && range.end <= n_sequences) return;
  throw input_error("sequences {} to {}: not a part of a corpus of {}", range.begin, range.end, n_sequences);
}

std::int64_t first_token_of(const text::TokenCorpus& corpus, std::int64_t sequence_idx) {
  return sequence_idx < all_sequences(corpus).end ? sequence_at(corpus, sequence_idx).first_token
                                                  : static_cast<std::int64_t>(corpus.token_ids.size());
}

Wave next_wave(const text::TokenCorpus& corpus, SequenceRange left, std::int64_t max_tokens) {
  MOESCOPE_ASSERT(left.begin >= 0 && left.begin < left.end && left.end <= all_sequences(corpus).end);
  Wave wave{left.begin, left.begin, 0};
  while (wave.end_sequence < left.end) {
    const std::int64_t n_tokens = sequence_at(corpus, wave.end_sequence).n_tokens;
    if (wave.n_tokens > 0 && wave.n_tokens + n_tokens > max_tokens) break;
    wave.n_tokens += n_tokens;
    ++wave.end_sequence;
  }
  return wave;
}

std::vector<Batch> cut_batches(const text::TokenCorpus& corpus, const Wave& wave, std::int64_t max_tokens) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(wave.end_sequence - wave.first_sequence));
  std::iota(order.begin(), order.end(), wave.first_sequence);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return sequence_at(corpus, a).n_tokens > sequence_at(corpus, b).n_tokens;
  });
  std::vector<Batch> batches;
  std::int64_t first_row = 0;
  for (const std::int64_t idx : order) {
    const text::Sequence& sequence = sequence_at(corpus, idx);
    if (batches.empty() || batches.back().n_tokens + sequence.n_tokens > max_tokens) {
      batches.emplace_back().first_row = first_row;
    }
    add_sequence(batches.back(), corpus, sequence);
    first_row += sequence.n_tokens;
  }
  return batches;
}

}  // namespace moescope::engine
