// Trains a byte-level BPE tokenizer (GPT-2's pre-tokenizer and byte alphabet) and writes it as tokenizer.json.
// Source: Sennrich et al. 2016; merge order as in Hugging Face's BpeTrainer (most frequent pair, ties to the lower
// ids).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace moescope::text {

struct BpeTrainerOptions {
  std::int32_t vocab_size = 4096;                               // special tokens, 256 bytes and merges together
  std::int64_t min_pair_count = 2;                              // stop before merging rarer pairs
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  // take the first ids
};

// `next_text` gives UTF-8 texts until it gives none. Returns the JSON text of tokenizer.json (ByteLevel pre-tokenizer
// without prefix space, ByteLevel decoder). Throws kInput if the texts hold too few pairs for vocab_size.
std::string train_byte_level_bpe(const std::function<std::optional<std::string>()>& next_text,
                                 const BpeTrainerOptions& options);

}  // namespace moescope::text
