// Remembers how words were cut into tokens. Text repeats its words, so most of them are found here.
// One thread at a time; bounded: it forgets everything when it is full.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "moescope/base/random.h"
#include "moescope/text/bpe.h"

namespace moescope::text {

class WordCache {
 public:
  static constexpr std::size_t kMaxWordBytes = 128;  // longer words do not repeat

  WordCache() : slots_(kSlots) {}

  static std::uint64_t hash(std::string_view word, bool is_bytes) {
    std::uint64_t h = word.size() * 2 + is_bytes, chunk = 0;
    for (std::size_t i = 0; i < word.size(); i += sizeof chunk) {
      chunk = 0;
      std::memcpy(&chunk, word.data() + i, std::min(sizeof chunk, word.size() - i));
      h = (h ^ chunk) * 0x9E3779B97F4A7C15ull;
      h ^= h >> 32;
    }
    return mix64(h);
  }

  // The tokens of the word, or an empty span; valid until the next put.
  std::span<const BpeToken> find(std::string_view word, std::uint64_t hash) const {
    for (std::size_t i = hash % kSlots;; i = (i + 1) % kSlots) {
      const Slot& slot = slots_[i];
      if (slot.n_tokens == 0) return {};
      if (slot.hash == hash && std::string_view(words_).substr(slot.word, slot.word_bytes) == word) {
        return std::span(tokens_).subspan(slot.token, slot.n_tokens);
      }
    }
  }

  // The word must not be there, and has at least one token.
  void put(std::string_view word, std::uint64_t hash, std::span<const BpeToken> tokens) {
    if (n_words_ >= kMaxWords) clear();
    std::size_t i = hash % kSlots;
    while (slots_[i].n_tokens != 0) i = (i + 1) % kSlots;
    slots_[i] = {hash, static_cast<std::uint32_t>(words_.size()), static_cast<std::uint32_t>(tokens_.size()),
                 static_cast<std::uint32_t>(word.size()), static_cast<std::uint32_t>(tokens.size())};
    words_ += word;
    tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
    ++n_words_;
  }

 private:
  static constexpr std::size_t kSlots = 1 << 16, kMaxWords = kSlots / 2;

  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t word = 0, token = 0;  // where they start in words_ and tokens_
    std::uint32_t word_bytes = 0, n_tokens = 0;
  };

  void clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    words_.clear();
    tokens_.clear();
    n_words_ = 0;
  }

  std::vector<Slot> slots_;
  std::string words_;
  std::vector<BpeToken> tokens_;
  std::size_t n_words_ = 0;
};

}  // namespace moescope::text
