// Hugging Face tokenizer.json with a BPE model: the same ids and the same character offsets as the `tokenizers`
// library gives (https://github.com/huggingface/tokenizers), proved by fixtures.
//
// Non-goals: WordPiece, Unigram and WordLevel models (an error names them), training (bpe_trainer.h), padding.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moescope::text {

// Where a token stands in the text that was given: [begin, end).
struct Offset {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool operator==(const Offset&) const = default;
};

struct EncodedText {
  std::vector<std::int32_t> ids;
  std::vector<Offset> characters;  // in Unicode code points, as Hugging Face counts them; same length as ids
  std::vector<Offset> bytes;       // in UTF-8 bytes of the given text; same length as ids
};

// Immutable after loading; safe to use from many threads.
class Tokenizer {
 public:
  // Throws kInput that names the file and the unknown component, missing key or contradictory id.
  static Tokenizer load(const std::filesystem::path& tokenizer_json);
  static Tokenizer from_json(std::string_view json, const std::string& place);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // `text` is UTF-8; invalid bytes are an error (readers replace and count them before).
  EncodedText encode(std::string_view text, bool add_special_tokens = false) const;
  std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = true) const;

  // Largest id + 1, added tokens included.
  std::int32_t vocab_size() const;
  // The piece as it stands in tokenizer.json ("Ġthe"); empty for an unused id.
  const std::string& piece(std::int32_t id) const;
  // The bytes that the piece stands for (" the"; may be part of a character, so not always valid UTF-8).
  std::string piece_bytes(std::int32_t id) const;
  bool is_special(std::int32_t id) const;
  std::optional<std::int32_t> id_of(std::string_view piece) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moescope::text
