// CoNLL-U treebanks: sentences of words with their tags, joined into documents, each word with its place in the text.
// Source: https://universaldependencies.org/format.html
//
// Goals: the text of a document as a reader sees it (`# text =`, `# newdoc`, `# newpar`), every syntactic word with its
// universal part of speech and its bytes in that text; multiword tokens and empty nodes; strict about the ten columns.
// Non-goals: checking trees and tag sets (the treebank's own validator does), writing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moescope/io/byte_source.h"

namespace moescope::io {

// A syntactic word. The words of a multiword token ("don't" = do + n't) share the bytes of the token.
struct ConlluWord {
  std::string form, lemma, upos, xpos, feats, deprel;  // "_" where the treebank says nothing
  int head = -1;                              // number of the head word in the sentence, 0: root, -1: none given
  std::int64_t byte_begin = 0, byte_end = 0;  // in ConlluDocument::text
  bool in_multiword = false;
};

struct ConlluSentence {
  std::string id;                             // `# sent_id =`, or ""
  std::int64_t byte_begin = 0, byte_end = 0;  // in ConlluDocument::text
  std::int64_t line = 0;                      // of its first word
  std::vector<ConlluWord> words;              // in the order of their numbers 1, 2, ...
  int n_empty_nodes = 0;                      // words of enhanced trees that stand nowhere in the text ("8.1")
};

struct ConlluDocument {
  std::string id;  // `# newdoc id =`, or ""
  // `# genre =`, `# meta::genre =` or `# source =`; else the letters before the first hyphen of the id, where English
  // treebanks put the genre ("weblog-..."); else "".
  std::string domain;
  std::int64_t line = 0;  // where it begins
  // Valid UTF-8; sentences are joined by a space (none behind SpaceAfter=No), paragraphs by a blank line.
  std::string text;
  std::vector<ConlluSentence> sentences;
};

// Reads one file (also .gz, .zst), document after document. Not thread-safe. Errors (kInput) name file and line.
class ConlluReader {
 public:
  explicit ConlluReader(const std::filesystem::path& path, std::int64_t max_document_bytes = 1 << 30);
  ~ConlluReader();
  ConlluReader(ConlluReader&&) noexcept;
  ConlluReader& operator=(ConlluReader&&) noexcept;

  std::optional<ConlluDocument> next();
  std::int64_t n_replaced_bytes() const { return n_replaced_bytes_; }  // bytes that were not UTF-8, so far

 private:
  struct RawSentence;
  bool read_sentence(RawSentence& sentence);
  void read_comment(std::string_view line, RawSentence& sentence);
  void read_token(std::string_view line, RawSentence& sentence);
  void add(RawSentence&& sentence, ConlluDocument& document) const;

  std::filesystem::path path_;
  LineReader lines_;
  std::int64_t max_document_bytes_;
  std::int64_t n_replaced_bytes_ = 0;
  std::unique_ptr<RawSentence> ahead_;  // the first sentence of the next document
};

}  // namespace moescope::io
