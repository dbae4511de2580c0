#include "moescope/text/windows.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/parallel.h"
#include "moescope/base/random.h"

namespace moescope::text {
namespace {

// Documents are read and tokenised in batches of about so much text; a batch bounds what is read beyond n_tokens.
constexpr std::size_t kBatchBytes = 8u << 20;
constexpr std::size_t kBatchDocuments = 256;
constexpr std::uint64_t kOrderKey = 1, kOffsetKey = 2;  // keep the uses of one seed apart

// A document on its way into the corpus.
struct Pending {
  io::Document document;
  std::vector<std::int32_t> ids, byte_begin, byte_end;
  std::int64_t corpus_idx = 0;
  std::uint64_t priority = 0;  // place in the run
  std::int64_t n_tokens() const { return static_cast<std::int64_t>(ids.size()); }
};

void check(const CorpusWindowOptions& options) {
  if (options.window < 1) throw input_error("a window of {} tokens: expected at least 1", options.window);
  if (options.context < options.window) {
    throw input_error("a context of {} tokens is shorter than a window of {}", options.context, options.window);
  }
  if (options.n_tokens < 0) throw input_error("{} tokens asked for: expected 0 (all) or more", options.n_tokens);
}

void hash_field(ContentHasher& hasher, std::string_view field) {
  hasher.add(std::to_string(field.size()) + ":");
  hasher.add(field);
}

// Keeps texts and offsets of those documents only that the first n_text_tokens of the run can reach: the order of the
// run is known from priorities before the corpus has been read to its end.
class TextKeeper {
 public:
  explicit TextKeeper(std::int64_t n_text_tokens) : n_text_tokens_(n_text_tokens) {}

  void add(std::vector<Pending>& documents, std::size_t idx) {
    held_.insert({documents[idx].priority, idx});
    n_held_ += documents[idx].n_tokens();
    while (!held_.empty()) {
      Pending& last = documents[std::prev(held_.end())->second];
      if (n_held_ - last.n_tokens() < n_text_tokens_) break;
      n_held_ -= last.n_tokens();
      last.document.text = {};
      last.byte_begin = {};
      last.byte_end = {};
      held_.erase(std::prev(held_.end()));
    }
  }

 private:
  std::int64_t n_text_tokens_, n_held_ = 0;
  std::set<std::pair<std::uint64_t, std::size_t>> held_;
};

std::vector<Pending> read_batch(io::DocumentReader& reader, bool& at_end) {
  std::vector<Pending> batch;
  for (std::size_t n_bytes = 0; n_bytes < kBatchBytes && batch.size() < kBatchDocuments;) {
    std::optional<io::Document> document = reader.next();
    if (!document) {
      at_end = true;
      break;
    }
    n_bytes += document->text.size();
    batch.emplace_back().document = std::move(*document);
  }
  return batch;
}

void encode_batch(std::vector<Pending>& batch, const Tokenizer& tokenizer, int n_threads) {
  parallel_for(batch.size(), n_threads, [&](std::size_t i) {
    Pending& pending = batch[i];
    EncodedText encoding;
    try {
      encoding = tokenizer.encode(pending.document.text);
    } catch (const Error& error) {
      throw error.at(pending.document.id);
    }
    constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
    if (encoding.ids.size() > kMost || pending.document.text.size() > kMost) {
      throw input_error("{}: a document of {} bytes is too large", pending.document.id, pending.document.text.size());
    }
    pending.ids = std::move(encoding.ids);
    pending.byte_begin.reserve(pending.ids.size());
    pending.byte_end.reserve(pending.ids.size());
    for (const Offset& offset : encoding.bytes) {
      pending.byte_begin.push_back(static_cast<std::int32_t>(offset.begin));
      pending.byte_end.push_back(static_cast<std::int32_t>(offset.end));
    }
  });
}

// Moves the documents of a batch into `documents` until n_tokens are reached; returns whether more are wanted.
class Collector {
 public:
  Collector(TokenCorpus& corpus, const CorpusWindowOptions& options)
      : corpus_(corpus), options_(options), keeper_(options.n_text_tokens) {}

  void add(Pending pending) {
    if (full()) {
      ++corpus_.n_documents_not_run;
      return;
    }
    pending.corpus_idx = n_seen_++;
    if (pending.ids.empty()) {
      ++corpus_.n_documents_without_tokens;
      return;
    }
    hash_field(hasher_, pending.document.domain);
    hash_field(hasher_, pending.document.text);
    const auto key = static_cast<std::uint64_t>(pending.corpus_idx);
    pending.priority = options_.shuffle ? hash64(options_.seed, kOrderKey, key) : key;
    if (options_.n_tokens > 0 && n_tokens_ + pending.n_tokens() > options_.n_tokens) {
      corpus_.n_tokens_cut = n_tokens_ + pending.n_tokens() - options_.n_tokens;
      pending.ids.resize(static_cast<std::size_t>(options_.n_tokens - n_tokens_));
    }
    n_tokens_ += pending.n_tokens();
    documents_.push_back(std::move(pending));
    keeper_.add(documents_, documents_.size() - 1);
  }

  bool full() const { return options_.n_tokens > 0 && n_tokens_ >= options_.n_tokens; }
  std::int64_t n_tokens() const { return n_tokens_; }
  std::string digest() const { return hasher_.digest(); }

  std::vector<Pending> take_in_order() {
    std::sort(documents_.begin(), documents_.end(), [](const Pending& a, const Pending& b) {
      return std::pair(a.priority, a.corpus_idx) < std::pair(b.priority, b.corpus_idx);
    });
    return std::move(documents_);
  }

 private:
  TokenCorpus& corpus_;
  const CorpusWindowOptions& options_;
  TextKeeper keeper_;
  ContentHasher hasher_;
  std::vector<Pending> documents_;
  std::int64_t n_seen_ = 0, n_tokens_ = 0;
};

// Lays the documents out one after the other, releasing each.
void lay_out(TokenCorpus& corpus, std::vector<Pending> documents, std::int64_t n_tokens, std::int64_t n_text_tokens) {
  corpus.token_ids.reserve(static_cast<std::size_t>(n_tokens));
  for (Pending& pending : documents) {
    TokenizedDocument document;
    document.id = std::move(pending.document.id);
    document.domain = std::move(pending.document.domain);
    document.corpus_idx = pending.corpus_idx;
    document.first_token = static_cast<std::int64_t>(corpus.token_ids.size());
    document.n_tokens = pending.n_tokens();
    const std::int64_t n_traced = std::clamp<std::int64_t>(n_text_tokens - document.first_token, 0, document.n_tokens);
    if (n_traced > 0) {
      document.text = std::move(pending.document.text);
      corpus.byte_begin.insert(corpus.byte_begin.end(), pending.byte_begin.begin(),
                               pending.byte_begin.begin() + n_traced);
      corpus.byte_end.insert(corpus.byte_end.end(), pending.byte_end.begin(), pending.byte_end.begin() + n_traced);
    }
    corpus.token_ids.insert(corpus.token_ids.end(), pending.ids.begin(), pending.ids.end());
    corpus.documents.push_back(std::move(document));
    pending = Pending();
  }
}

}  // namespace

void tile_documents(TokenCorpus& corpus, std::int64_t context, std::int64_t window, std::uint64_t seed) {
  corpus.context = context;
  corpus.window = window;
  corpus.sequences.clear();
  corpus.n_windows = 0;
  for (std::size_t doc_idx = 0; doc_idx < corpus.documents.size(); ++doc_idx) {
    const TokenizedDocument& document = corpus.documents[doc_idx];
    const std::uint64_t random = hash64(seed, kOffsetKey, static_cast<std::uint64_t>(document.corpus_idx));
    auto end = static_cast<std::int64_t>(Random(random).below(static_cast<std::uint64_t>(context)));
    if (end == 0) end = context;
    for (std::int64_t begin = 0; begin < document.n_tokens; begin = end, end += context) {
      end = std::min(end, document.n_tokens);
      Sequence sequence;
      sequence.first_token = document.first_token + begin;
      sequence.first_window = corpus.n_windows;
      sequence.n_tokens = static_cast<std::int32_t>(end - begin);
      sequence.doc_idx = static_cast<std::int32_t>(doc_idx);
      sequence.position = static_cast<std::int32_t>(begin);
      corpus.sequences.push_back(sequence);
      corpus.n_windows += (end - begin + window - 1) / window;
    }
  }
}

TokenCorpus tokenize_corpus(io::DocumentReader& reader, const Tokenizer& tokenizer, const CorpusWindowOptions& options,
                            const Console& console) {
  check(options);
  TokenCorpus corpus;
  Collector collector(corpus, options);
  Progress progress(console, "tokenize", "tokens", options.n_tokens);
  bool at_end = false;
  while (!at_end && !collector.full()) {
    std::vector<Pending> batch = read_batch(reader, at_end);
    encode_batch(batch, tokenizer, options.n_threads);
    for (Pending& pending : batch) collector.add(std::move(pending));
    progress.update(collector.n_tokens());
    throw_if_interrupted("nothing was written yet; the same command starts again");
  }
  if (collector.full() && !at_end && reader.next()) {
    ++corpus.n_documents_not_run;  // one look ahead tells whether the corpus goes on
  }
  progress.finish();
  corpus.counts = reader.counts();
  corpus.files = reader.files();
  corpus.complete = corpus.n_documents_not_run == 0 && corpus.n_tokens_cut == 0;
  corpus.hash = collector.digest();
  if (collector.n_tokens() == 0) {
    throw input_error("the corpus is empty: {} documents without text, {} without tokens", corpus.counts.n_empty,
                      corpus.n_documents_without_tokens);
  }
  lay_out(corpus, collector.take_in_order(), collector.n_tokens(), options.n_text_tokens);
  tile_documents(corpus, options.context, options.window, options.seed);
  return corpus;
}

}  // namespace moescope::text
