// A corpus as token sequences for a model: documents are tokenised up to a number of tokens, put into a seeded random
// order, and tiled by sequences of `context` tokens; evidence windows are slices of a sequence.
//
// Tiling. A document is cut at r, r + context, r + 2 context, ... with r in [0, context) drawn from the seed and the
// document's place in the corpus, so that window bounds stand in no relation to how documents begin. The tokens before
// r are a shorter first sequence, the rest a shorter last one: every token is in exactly one sequence. Windows of
// `window` tokens are aligned to the start of their sequence; the last one of a sequence may be shorter.
// The order of documents is random so that the first tokens of a run (its trace) are a fair sample of the corpus.
//
// Non-goals: corpora whose token ids (4 bytes each) do not fit in memory; special tokens (none are added).
// Source: "The Expert Strikes Back" (arXiv 2604.02178), section 5, where context = window.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/base/progress.h"
#include "moescope/io/documents.h"
#include "moescope/text/tokenizer.h"

namespace moescope::text {

struct CorpusWindowOptions {
  std::int64_t n_tokens = 0;       // stop after so many (the last document is cut); 0: the whole corpus
  std::int64_t context = 256;      // tokens a model sees together, >= window
  std::int64_t window = 32;        // tokens of an evidence window, > 0
  std::int64_t n_text_tokens = 0;  // keep text and offsets of the first documents that hold so many tokens
  std::uint64_t seed = 0;
  bool shuffle = true;  // false: documents in the order of the corpus
  int n_threads = 0;    // for tokenizing; 0: all
};

struct TokenizedDocument {
  std::string id, domain;
  std::string text;              // UTF-8; empty unless one of its tokens is among the first n_text_tokens
  std::int64_t corpus_idx = 0;   // place in the corpus
  std::int64_t first_token = 0;  // into TokenCorpus::token_ids
  std::int64_t n_tokens = 0;     // > 0
};

// Consecutive tokens of one document that the model sees together.
struct Sequence {
  std::int64_t first_token = 0;   // into TokenCorpus::token_ids
  std::int64_t first_window = 0;  // windows are numbered through in the order of the run
  std::int32_t n_tokens = 0;      // in [1, context]
  std::int32_t doc_idx = 0;
  std::int32_t position = 0;  // of its first token in the document
};

// Owns everything. Documents, tokens, sequences and windows stand in the order of the run.
struct TokenCorpus {
  std::vector<std::int32_t> token_ids;             // [N], in [0, tokenizer.vocab_size())
  std::vector<std::int32_t> byte_begin, byte_end;  // [n_text_tokens or fewer], in the document's text
  std::vector<TokenizedDocument> documents;
  std::vector<Sequence> sequences;
  std::int64_t n_windows = 0;
  std::int64_t window = 0, context = 0;

  io::CorpusCounts counts;                      // what the reader gave, documents that are not run included
  std::vector<std::filesystem::path> files;     // that the reader opened
  std::int64_t n_documents_not_run = 0;         // read, but behind the last token asked for
  std::int64_t n_documents_without_tokens = 0;  // their text has no token (a normaliser dropped it all)
  std::int64_t n_tokens_cut = 0;                // of the last document, behind the last token asked for
  bool complete = true;                         // the whole corpus was run
  std::string hash;                             // of texts, domains and bounds of the documents that are run
};

// Reads `reader` to its end or to options.n_tokens. Throws kInput for an empty corpus, for a document of more than 2^31
// tokens, or settings out of range; errors of the reader pass through.
TokenCorpus tokenize_corpus(io::DocumentReader& reader, const Tokenizer& tokenizer, const CorpusWindowOptions& options,
                            const Console& console = {});

// Fills sequences and n_windows from documents (first_token, n_tokens, corpus_idx); tokenize_corpus calls it.
void tile_documents(TokenCorpus& corpus, std::int64_t context, std::int64_t window, std::uint64_t seed);

}  // namespace moescope::text
