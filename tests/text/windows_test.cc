#include "moescope/text/windows.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "moescope/base/error.h"

namespace moescope::text {
namespace {

// Letters and space, one token a byte.
Tokenizer letters() {
  std::string vocab;
  for (char c = 'a'; c <= 'z'; ++c) vocab += std::string("\"") + c + "\":" + std::to_string(c - 'a') + ",";
  return Tokenizer::from_json(
      R"({"version":"1.0","added_tokens":[],"normalizer":null,"post_processor":null,"decoder":{"type":"ByteLevel"},)"
      R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},)"
      R"("model":{"type":"BPE","vocab":{)" +
          vocab + R"("Ġ":26},"merges":[]}})",
      "letters");
}

class ListReader : public io::DocumentReader {
 public:
  explicit ListReader(std::vector<io::Document> documents) : documents_(std::move(documents)) {}
  std::optional<io::Document> next() override {
    if (next_ == documents_.size()) return std::nullopt;
    ++counts_.n_documents;
    return documents_[next_++];
  }
  const io::CorpusCounts& counts() const override { return counts_; }
  const std::vector<std::filesystem::path>& files() const override { return files_; }

 private:
  std::vector<io::Document> documents_;
  std::size_t next_ = 0;
  io::CorpusCounts counts_;
  std::vector<std::filesystem::path> files_ = {"list"};
};

std::vector<io::Document> documents(int n, int first_length, int step) {
  std::vector<io::Document> list;
  for (int i = 0; i < n; ++i) {
    std::string text;
    for (int t = 0; t < first_length + i * step; ++t) text += static_cast<char>('a' + (i + t) % 26);
    list.push_back({"doc" + std::to_string(i), text, i % 2 == 0 ? "even" : ""});
  }
  return list;
}

TokenCorpus tokenize(std::vector<io::Document> list, const CorpusWindowOptions& options) {
  ListReader reader(std::move(list));
  return tokenize_corpus(reader, letters(), options);
}

TEST(Windows, TileEveryTokenOnceFromARandomOffset) {
  CorpusWindowOptions options;
  options.context = 16;
  options.window = 4;
  options.seed = 5;
  const TokenCorpus corpus = tokenize(documents(200, 1, 1), options);
  std::vector<int> n_times(corpus.token_ids.size());
  std::map<std::int32_t, int> first_lengths;
  std::int64_t next_window = 0;
  for (std::size_t i = 0; i < corpus.sequences.size(); ++i) {
    const Sequence& sequence = corpus.sequences[i];
    const TokenizedDocument& document = corpus.documents[static_cast<std::size_t>(sequence.doc_idx)];
    EXPECT_GE(sequence.n_tokens, 1);
    EXPECT_LE(sequence.n_tokens, 16);
    EXPECT_EQ(sequence.first_token, document.first_token + sequence.position);
    EXPECT_EQ(sequence.first_window, next_window);
    next_window += (sequence.n_tokens + 3) / 4;
    for (std::int32_t t = 0; t < sequence.n_tokens; ++t) {
      ++n_times[static_cast<std::size_t>(sequence.first_token + t)];
    }
    const bool is_last = sequence.position + sequence.n_tokens == document.n_tokens;
    if (sequence.position == 0 && !is_last) ++first_lengths[sequence.n_tokens];
    if (sequence.position > 0 && !is_last) {
      EXPECT_EQ(sequence.n_tokens, 16);
    }
  }
  EXPECT_EQ(corpus.n_windows, next_window);
  EXPECT_EQ(std::set<int>(n_times.begin(), n_times.end()), std::set<int>{1});
  // 190 or so draws from 16 lengths: each about 12 times (standard deviation 3.4).
  ASSERT_EQ(first_lengths.size(), 16U);
  for (const auto& [length, n] : first_lengths) EXPECT_LT(n, 12 + 5 * 3.4) << length;
}

TEST(Windows, KeepDocumentsWholeInARandomOrder) {
  CorpusWindowOptions options;
  options.n_text_tokens = 1 << 20;
  const std::vector<io::Document> list = documents(50, 10, 3);
  const TokenCorpus corpus = tokenize(list, options);
  ASSERT_EQ(corpus.documents.size(), 50U);
  bool in_order = true;
  std::set<std::int64_t> seen;
  std::int64_t next = 0;
  for (const TokenizedDocument& document : corpus.documents) {
    const io::Document& source = list[static_cast<std::size_t>(document.corpus_idx)];
    in_order = in_order && document.corpus_idx == static_cast<std::int64_t>(seen.size());
    seen.insert(document.corpus_idx);
    EXPECT_EQ(document.id, source.id);
    EXPECT_EQ(document.domain, source.domain);
    EXPECT_EQ(document.text, source.text);
    EXPECT_EQ(document.first_token, next);
    next += document.n_tokens;
    for (std::int64_t t = 0; t < document.n_tokens; ++t) {
      const auto at = static_cast<std::size_t>(document.first_token + t);
      EXPECT_EQ(corpus.token_ids[at], source.text[static_cast<std::size_t>(t)] - 'a');
      EXPECT_EQ(corpus.byte_begin[at], t);
      EXPECT_EQ(corpus.byte_end[at], t + 1);
    }
  }
  EXPECT_EQ(seen.size(), 50U);
  EXPECT_FALSE(in_order);

  options.shuffle = false;
  const TokenCorpus plain = tokenize(list, options);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(plain.documents[i].corpus_idx, static_cast<std::int64_t>(i));
  EXPECT_EQ(plain.hash, corpus.hash);
}

TEST(Windows, KeepTextOfTheFirstTokensOnly) {
  CorpusWindowOptions options;
  const std::vector<io::Document> list = documents(60, 5, 2);
  for (const std::int64_t n_text_tokens : {0, 1, 100, 777, 1'000'000}) {
    options.n_text_tokens = n_text_tokens;
    const TokenCorpus corpus = tokenize(list, options);
    const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
    EXPECT_EQ(static_cast<std::int64_t>(corpus.byte_begin.size()), std::min(n_text_tokens, n_tokens));
    EXPECT_EQ(corpus.byte_end.size(), corpus.byte_begin.size());
    for (const TokenizedDocument& document : corpus.documents) {
      EXPECT_EQ(!document.text.empty(), document.first_token < n_text_tokens);
    }
  }
}

TEST(Windows, StopAtTheTokensAskedForAndSaySo) {
  CorpusWindowOptions options;
  options.n_tokens = 25;
  const TokenCorpus corpus = tokenize(documents(5, 10, 0), options);
  EXPECT_EQ(corpus.token_ids.size(), 25U);
  EXPECT_EQ(corpus.documents.size(), 3U);
  EXPECT_EQ(corpus.n_tokens_cut, 5);
  EXPECT_EQ(corpus.n_documents_not_run, 2);
  EXPECT_FALSE(corpus.complete);

  options.n_tokens = 50;  // exactly all
  const TokenCorpus whole = tokenize(documents(5, 10, 0), options);
  EXPECT_TRUE(whole.complete);
  EXPECT_EQ(whole.n_tokens_cut, 0);
  EXPECT_EQ(whole.n_documents_not_run, 0);
}

TEST(Windows, GiveTheSameForAnyNumberOfThreads) {
  CorpusWindowOptions options;
  options.n_text_tokens = 500;
  options.n_threads = 1;
  const TokenCorpus one = tokenize(documents(300, 3, 1), options);
  options.n_threads = 4;
  const TokenCorpus four = tokenize(documents(300, 3, 1), options);
  EXPECT_EQ(one.token_ids, four.token_ids);
  EXPECT_EQ(one.byte_begin, four.byte_begin);
  EXPECT_EQ(one.hash, four.hash);
  EXPECT_EQ(one.sequences.size(), four.sequences.size());
}

TEST(Windows, HashTellsTextsDomainsAndBoundsApart) {
  const auto hash = [](std::vector<io::Document> list) { return tokenize(std::move(list), {}).hash; };
  const std::string base = hash({{"a", "abcd", "x"}, {"b", "ef", "y"}});
  EXPECT_EQ(base, hash({{"other", "abcd", "x"}, {"names", "ef", "y"}}));
  EXPECT_NE(base, hash({{"a", "abc", "x"}, {"b", "def", "y"}}));
  EXPECT_NE(base, hash({{"a", "abcd", "x"}, {"b", "ef", "z"}}));
  EXPECT_NE(base, hash({{"b", "ef", "y"}, {"a", "abcd", "x"}}));
}

std::string message_of(std::vector<io::Document> list, const CorpusWindowOptions& options) {
  try {
    tokenize(std::move(list), options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Windows, RefuseAnEmptyCorpusAndBadSizes) {
  EXPECT_EQ(message_of({}, {}), "the corpus is empty: 0 documents without text, 0 without tokens");
  // Signs that the tokenizer does not know have no tokens.
  EXPECT_EQ(message_of({{"a", "???", ""}}, {}), "the corpus is empty: 0 documents without text, 1 without tokens");
  CorpusWindowOptions options;
  options.window = 0;
  EXPECT_NE(message_of(documents(1, 5, 0), options), "");
  options.window = 8;
  options.context = 7;
  EXPECT_EQ(message_of(documents(1, 5, 0), options), "a context of 7 tokens is shorter than a window of 8");
  options = {};
  options.n_tokens = -1;
  EXPECT_NE(message_of(documents(1, 5, 0), options), "");
}

}  // namespace
}  // namespace moescope::text
