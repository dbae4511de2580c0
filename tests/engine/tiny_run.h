// A small corpus of token ids for the fixture model, made without a tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moescope/base/random.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/model/weights.h"
#include "moescope/text/windows.h"

namespace moescope::test {

inline model::Checkpoint open_fixture(const std::string& name = "plain") {
  return model::Checkpoint::open(
      io::find_checkpoint(std::string(MOESCOPE_SOURCE_DIR "/tests/fixtures/model/olmoe/") + name));
}

// Documents of 1 to max_document tokens with ids in [0, d_vocab), tiled.
inline text::TokenCorpus random_corpus(std::int64_t n_documents, std::int64_t max_document, std::int64_t d_vocab,
                                       std::int64_t context, std::int64_t window, std::uint64_t seed = 7) {
  Random random(seed);
  text::TokenCorpus corpus;
  for (std::int64_t i = 0; i < n_documents; ++i) {
    text::TokenizedDocument document;
    document.id = "doc" + std::to_string(i);
    document.domain = i % 3 == 0 ? "" : i % 3 == 1 ? "prose" : "code";
    document.corpus_idx = i;
    document.first_token = static_cast<std::int64_t>(corpus.token_ids.size());
    document.n_tokens = 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(max_document)));
    for (std::int64_t t = 0; t < document.n_tokens; ++t) {
      corpus.token_ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(d_vocab))));
      corpus.byte_begin.push_back(static_cast<std::int32_t>(t));
      corpus.byte_end.push_back(static_cast<std::int32_t>(t + 1));
    }
    document.text = std::string(static_cast<std::size_t>(document.n_tokens), 'x');
    corpus.documents.push_back(document);
  }
  text::tile_documents(corpus, context, window, seed);
  return corpus;
}

}  // namespace moescope::test
