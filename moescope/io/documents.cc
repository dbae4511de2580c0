#include "moescope/io/documents.h"

#include <algorithm>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/document_source.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

namespace fs = std::filesystem;

enum class Kind { kUnknown, kText, kJsonLines, kJson, kParquet, kConllu };

Kind kind_of(const fs::path& path) {
  const std::string plain = unpacked_name(path).extension().string();
  if (plain == ".parquet") return path.extension() == ".parquet" ? Kind::kParquet : Kind::kUnknown;
  if (plain == ".jsonl" || plain == ".ndjson") return Kind::kJsonLines;
  if (plain == ".json") return Kind::kJson;
  if (plain == ".conllu") return Kind::kConllu;
  for (const char* text : {".txt", ".text", ".md", ".rst", ".tex"}) {
    if (plain == text) return Kind::kText;
  }
  return Kind::kUnknown;
}

class TextSource : public DocumentSource {
 public:
  explicit TextSource(const SourceContext& context) : context_(context) {}

  std::optional<Document> next() override {
    if (std::exchange(done_, true)) return std::nullopt;
    std::string bytes = read_all(context_.path, context_.options->max_document_bytes);
    return Document{context_.id, repair_utf8(std::move(bytes), context_.counts->n_replaced_bytes), ""};
  }

 private:
  SourceContext context_;
  bool done_ = false;
};

struct CorpusFile {
  fs::path path;
  std::string id;
};

// Gives the documents of files one behind the other, opening each when its turn comes.
class FilesReader : public DocumentReader {
 public:
  FilesReader(std::vector<CorpusFile> files, std::int64_t n_other_files, const CorpusOptions& options)
      : corpus_(std::move(files)), options_(options) {
    counts_.n_other_files = n_other_files;
    for (const CorpusFile& file : corpus_) files_.push_back(file.path);
  }

  std::optional<Document> next() override {
    while (true) {
      if (!source_) {
        if (file_idx_ == corpus_.size()) return std::nullopt;
        const CorpusFile& file = corpus_[file_idx_++];
        source_ = open_document_source({file.path, file.id, &options_, &counts_});
        ++counts_.n_files;
      }
      std::optional<Document> document = source_->next();
      if (!document) {
        source_.reset();
        continue;
      }
      if (document->text.empty()) {
        ++counts_.n_empty;
        continue;
      }
      ++counts_.n_documents;
      counts_.n_bytes += static_cast<std::int64_t>(document->text.size());
      return document;
    }
  }

  const CorpusCounts& counts() const override { return counts_; }
  const std::vector<fs::path>& files() const override { return files_; }

 private:
  std::vector<CorpusFile> corpus_;
  std::vector<fs::path> files_;
  CorpusOptions options_;
  CorpusCounts counts_;
  std::size_t file_idx_ = 0;
  std::unique_ptr<DocumentSource> source_;
};

constexpr const char* kKindsHint =
    "known kinds: .txt .md .rst .tex .jsonl .json .conllu (each also .gz or .zst), .parquet, a folder, or `system`";

std::unique_ptr<DocumentReader> open_folder(const fs::path& folder, const CorpusOptions& options) {
  std::vector<CorpusFile> files;
  std::int64_t n_other_files = 0;
  std::error_code failed;
  // Links to folders are not followed, so the walk ends even where links form a ring.
  fs::recursive_directory_iterator entries(folder, failed);
  while (!failed && entries != fs::recursive_directory_iterator()) {
    std::error_code unknown;
    if (entries->is_regular_file(unknown)) {
      if (known_document_kind(entries->path())) {
        files.push_back({entries->path(), entries->path().lexically_relative(folder).generic_string()});
      } else {
        ++n_other_files;
      }
    }
    entries.increment(failed);
  }
  if (failed) throw input_error("cannot list the folder: {}", failed.message()).at(folder.string());
  if (files.empty()) {
    throw input_error("the folder holds no text ({} files of other kinds)", n_other_files)
        .at(folder.string())
        .hint(kKindsHint);
  }
  std::sort(files.begin(), files.end(), [](const CorpusFile& a, const CorpusFile& b) { return a.id < b.id; });
  return std::make_unique<FilesReader>(std::move(files), n_other_files, options);
}

}  // namespace

void CorpusOptions::describe(OptionList& list) {
  list.group("Corpus");
  list.add("text-field", text_field, "key or column of the text", {.required = true});
  list.add("domain-field", domain_field, "key or column of the domain");
  list.add_bytes("max-document-bytes", max_document_bytes, "a larger document is an error", {.least = 1});
  list.add_bytes("system-max-bytes", system_max_bytes, "text taken of the corpus `system`", {.least = 1});
}

bool known_document_kind(const fs::path& path) { return kind_of(path) != Kind::kUnknown; }

std::unique_ptr<DocumentSource> open_text_source(const SourceContext& context) {
  return std::make_unique<TextSource>(context);
}

std::unique_ptr<DocumentSource> open_document_source(const SourceContext& context) {
  switch (kind_of(context.path)) {
    case Kind::kText: return open_text_source(context);
    case Kind::kJsonLines: return open_json_source(context, true);
    case Kind::kJson: return open_json_source(context, false);
    case Kind::kConllu: return open_conllu_source(context);
    case Kind::kParquet: return open_parquet_source(context);
    case Kind::kUnknown: break;
  }
  throw input_error("the name tells no kind of corpus").at(context.path.string()).hint(kKindsHint);
}

void check_document_size(std::size_t n_bytes, const CorpusOptions& options, const std::string& place) {
  if (static_cast<std::int64_t>(n_bytes) <= options.max_document_bytes) return;
  throw input_error("a document of {} bytes is over the limit of {}", n_bytes, options.max_document_bytes)
      .at(place)
      .hint("raise the limit of a document, or split it");
}

std::unique_ptr<DocumentReader> open_corpus(const std::string& corpus, const CorpusOptions& options) {
  if (corpus == "system") return open_system_corpus(options);
  const fs::path path = corpus;
  std::error_code failed;
  const fs::file_status status = fs::status(path, failed);
  if (!fs::exists(status)) {
    throw input_error("no such file or folder").at(corpus.empty() ? "corpus \"\"" : corpus).hint(kKindsHint);
  }
  if (fs::is_directory(status)) return open_folder(path, options);
  if (!fs::is_regular_file(status)) throw input_error("is neither a file nor a folder").at(corpus);
  if (!known_document_kind(path)) throw input_error("the name tells no kind of corpus").at(corpus).hint(kKindsHint);
  return std::make_unique<FilesReader>(std::vector<CorpusFile>{{path, path.filename().string()}}, 0, options);
}

}  // namespace moescope::io
