// The documents of one file; documents.cc strings the files of a corpus together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "moescope/io/documents.h"

namespace moescope::io {

// Where a source tells what it repaired, and how it names itself.
struct SourceContext {
  std::filesystem::path path;  // opened, and named in errors
  std::string id;              // begins the ids of its documents
  const CorpusOptions* options = nullptr;
  CorpusCounts* counts = nullptr;  // only n_replaced_bytes is added to
};

// Gives documents of valid UTF-8 that may be empty; whoever asks counts them.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  virtual std::optional<Document> next() = 0;
};

bool known_document_kind(const std::filesystem::path& path);
// Throws kInput for a name of unknown kind.
std::unique_ptr<DocumentSource> open_document_source(const SourceContext& context);

std::unique_ptr<DocumentSource> open_text_source(const SourceContext& context);
std::unique_ptr<DocumentSource> open_json_source(const SourceContext& context, bool one_a_line);
std::unique_ptr<DocumentSource> open_conllu_source(const SourceContext& context);
std::unique_ptr<DocumentSource> open_parquet_source(const SourceContext& context);

// `system` (system_corpus.cc), with another root for tests.
std::unique_ptr<DocumentReader> open_system_corpus(const CorpusOptions& options,
                                                   const std::filesystem::path& root = "/");

// Throws kInput, "PLACE: ...", for a text over the limit.
void check_document_size(std::size_t n_bytes, const CorpusOptions& options, const std::string& place);

}  // namespace moescope::io
