// A corpus as a stream of documents, whatever it lies in: .txt, folders, .jsonl and .json (plain, .gz, .zst), Parquet,
// CoNLL-U, or `system` (text found on this machine).
//
// Every byte that is not UTF-8 is replaced by U+FFFD and counted; empty documents are counted; nothing else is dropped.
//
// Kinds by name, each also with .gz or .zst behind it (but Parquet, which packs itself):
//   .txt .text .md .rst .tex   one document a file
//   .jsonl .ndjson             one JSON object a line
//   .json                      an array of objects, or objects behind each other
//   .parquet                   one document a row
//   .conllu                    one document a `# newdoc`, or a file without any
// `system` takes C and C++ headers, Python, Perl, LaTeX, documents, changelogs and licences of the machine's packages,
// balanced by bytes, files over 1 MB left out; the domain is the kind.
// A folder stands for all such files in it, in the order of their paths, subfolders and symbolic links to files
// included.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/options.h"

namespace moescope::io {

struct Document {
  std::string id;      // "FILE:LINE", "FILE:ROW" or "FILE", relative to the folder of the corpus
  std::string text;    // valid UTF-8, not empty
  std::string domain;  // the Pile's meta.pile_set_name, a CoNLL-U source, the kind of a system file; "" if unknown
};

struct CorpusOptions {
  std::string text_field = "text";  // JSON key or Parquet column; dots go into objects ("meta.body")
  std::string domain_field = "meta.pile_set_name";
  std::int64_t max_document_bytes = 1 << 30;  // a larger document is an error that names it
  std::int64_t system_max_bytes = 64 << 20;   // `system`: stop after so much text

  void describe(OptionList& list);
};

struct CorpusCounts {
  std::int64_t n_documents = 0;
  std::int64_t n_empty = 0;           // documents without text, left out
  std::int64_t n_replaced_bytes = 0;  // bytes that were not UTF-8
  std::int64_t n_files = 0;           // files opened
  std::int64_t n_bytes = 0;           // UTF-8 bytes of text given out
  std::int64_t n_other_files = 0;     // files of a folder (or of `system`) whose kind is not known, left out
  std::int64_t n_duplicates = 0;      // `system`: files whose bytes were seen before, left out
  std::int64_t n_binary = 0;          // `system`: files that are not text, left out
  std::int64_t n_unreadable = 0;      // `system`: files that cannot be opened, are broken or too large, left out
  // `system`: files of which only the beginning was taken, so that none crowds out the rest.
  std::int64_t n_shortened = 0;
};

// Single pass, not thread-safe. Errors name file and line.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  virtual std::optional<Document> next() = 0;
  virtual const CorpusCounts& counts() const = 0;
  // The files that make up the corpus, in order (for run.json); complete once next() has returned nothing.
  virtual const std::vector<std::filesystem::path>& files() const = 0;
};

// `corpus`: a path or `system`; the kind is told by the name (.jsonl.zst, .parquet, .conllu, a folder, ...).
// Throws kInput for a missing path, an unknown kind, or a folder without readable files.
std::unique_ptr<DocumentReader> open_corpus(const std::string& corpus, const CorpusOptions& options = {});

}  // namespace moescope::io
