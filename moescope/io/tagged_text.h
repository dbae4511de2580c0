// Text whose words carry tags (parts of speech), as a stream of sentences: CoNLL-U, JSON lines or Parquet.
//
//   .conllu            sentences of a treebank; the tag is the universal part of speech (UPOS)
//   .jsonl .ndjson     an object a sentence: {"words": ["The", "cat"], "tags": ["DET", "NOUN"], "text": "The cat"}
//   .parquet           a row a sentence, with list columns of those names
// each also with .gz or .zst behind it (but Parquet). Without a text the words are joined by spaces. `document` (a
// text) says which sentences belong together; without it each stands for itself. A sentence whose words do not stand in
// its text in their order, or which has another number of words than of tags, is left out and counted. Non-goals:
// mapping tag sets, tagging.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/options.h"

namespace moescope::io {

struct TaggedWord {
  std::int64_t byte_begin = 0, byte_end = 0;  // in TaggedSentence::text
  std::string tag;
};

struct TaggedSentence {
  std::string id;           // "FILE:LINE" or "FILE:ROW", FILE without its folder
  std::string document_id;  // equal for sentences of one document
  std::string domain;       // of a CoNLL-U document; "" if unknown
  std::string text;         // valid UTF-8, not empty
  std::vector<TaggedWord> words;
};

struct TaggedOptions {
  std::string words_field = "words", tags_field = "tags", text_field = "text", document_field = "document";
  std::int64_t max_sentence_bytes = 1 << 24;

  void describe(OptionList& list);  // of the fields that differ between corpora in practice
};

struct TaggedCounts {
  std::int64_t n_sentences = 0;       // given out
  std::int64_t n_empty = 0;           // without words, left out
  std::int64_t n_unaligned = 0;       // left out: see above
  std::int64_t n_replaced_bytes = 0;  // that were not UTF-8
};

// Single pass, not thread-safe. Errors (kInput) name file and line or row.
class TaggedReader {
 public:
  virtual ~TaggedReader() = default;
  virtual std::optional<TaggedSentence> next() = 0;
  const TaggedCounts& counts() const { return counts_; }

 protected:
  TaggedCounts counts_;
};

// Throws kInput for a file that does not exist or is of none of the kinds above; kEnvironment for Parquet without
// Arrow.
std::unique_ptr<TaggedReader> open_tagged_text(const std::filesystem::path& path, const TaggedOptions& options = {});

// Puts words and tags over `text` (or over the words joined by spaces): the words of the result in their order, or
// nothing if they do not align.
std::optional<TaggedSentence> align_words(const std::vector<std::string>& words, const std::vector<std::string>& tags,
                                          const std::optional<std::string>& text);

// Of tagged_parquet.cc.
std::unique_ptr<TaggedReader> open_tagged_parquet(const std::filesystem::path& path, const TaggedOptions& options);

}  // namespace moescope::io
