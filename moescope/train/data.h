// Training text as two token streams. Documents are held out whole, by a hash of their position and the seed, so that
// no validation document shares a line with training. Each document ends with the end-of-text token where there is one.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "moescope/base/progress.h"
#include "moescope/io/documents.h"
#include "moescope/train/settings.h"

namespace moescope::train {

struct TrainingText {
  at::Tensor train;       // [n] i32 on the CPU
  at::Tensor validation;  // [n] i32 on the CPU
  std::int32_t vocab_size = 0;
  std::int32_t eos_id = -1;  // -1: the tokenizer has no <|endoftext|>
  std::string tokenizer_json;
  io::CorpusCounts counts;
  std::map<std::string, std::int64_t> domain_bytes;  // UTF-8 bytes of text by domain
};

// Reads the corpora (twice if the tokenizer is to be trained), or OUT/state/tokens.safetensors if it was made with the
// same settings. Throws kInput if a corpus is missing or the text is shorter than one batch.
TrainingText load_training_text(const TrainSettings& settings, const Console& console);

// Sequence j of an endless sequence of epochs: each epoch goes through all non-overlapping pieces of n_positions + 1
// tokens once, in an order of its own that only the seed decides. Returns the piece's first token.
std::int64_t sequence_start(std::int64_t j, std::int64_t n_tokens, std::int64_t n_positions, std::uint64_t seed);

// Sequences [first, first + count) as [count, n_positions + 1] i64 on the device.
at::Tensor training_batch(const at::Tensor& stream, std::int64_t first, std::int64_t count, std::int64_t n_positions,
                          std::uint64_t seed, at::Device device);

}  // namespace moescope::train
