#include "moescope/engine/batch.h"

#include <gtest/gtest.h>

#include <set>

#include "moescope/base/error.h"
#include "tests/engine/tiny_run.h"

namespace moescope::engine {
namespace {

class Batches : public testing::TestWithParam<std::int64_t> {};

TEST_P(Batches, HoldEveryTokenOfAWaveOnceWithItsPlace) {
  const text::TokenCorpus corpus = test::random_corpus(20, 150, 67, 32, 8);
  const std::int64_t max_tokens = GetParam();
  std::set<std::int64_t> tokens, windows;
  std::int64_t next = 0, n_waves = 0;
  const SequenceRange all = all_sequences(corpus);
  for (; next < all.end; ++n_waves) {
    const Wave wave = next_wave(corpus, {next, all.end}, 300);
    ASSERT_GT(wave.end_sequence, next);
    EXPECT_LE(wave.n_tokens, 300);
    next = wave.end_sequence;
    std::int64_t row = 0;
    for (const Batch& batch : cut_batches(corpus, wave, max_tokens)) {
      EXPECT_EQ(batch.first_row, row);
      row += batch.n_tokens;
      EXPECT_LE(batch.n_tokens, std::max<std::int64_t>(max_tokens, 32));
      std::int64_t in_lengths = 0;
      for (const model::EqualLengths& run : batch.lengths) {
        EXPECT_EQ(run.first_row, in_lengths);
        in_lengths += run.n_sequences * run.n_positions;
      }
      EXPECT_EQ(in_lengths, batch.n_tokens);
      for (std::size_t i = 0; i < batch.token_ids.size(); ++i) {
        const std::int64_t token = batch.token_idx[i];
        EXPECT_TRUE(tokens.insert(token).second);
        EXPECT_EQ(batch.token_ids[i], corpus.token_ids[static_cast<std::size_t>(token)]);
        const auto& document = corpus.documents[static_cast<std::size_t>(batch.doc_idx[i])];
        EXPECT_EQ(document.first_token + batch.position[i], token);
        const bool same_sequence = i + 1 < batch.token_ids.size() && batch.context_position[i + 1] > 0;
        EXPECT_EQ(batch.next_token_id[i], same_sequence ? batch.token_ids[i + 1] : -1);
      }
      for (std::size_t w = 0; w < batch.windows.size(); ++w) {
        const BatchWindow& window = batch.windows[w];
        EXPECT_TRUE(windows.insert(window.window_idx).second);
        for (std::int32_t i = 0; i < window.n_tokens; ++i) {
          const auto at = static_cast<std::size_t>(window.first_row + i);
          EXPECT_EQ(batch.window_of_row[at], static_cast<std::int32_t>(w));
          EXPECT_EQ(batch.position[at], window.position + i);
          EXPECT_EQ(batch.doc_idx[at], window.doc_idx);
        }
      }
    }
    EXPECT_EQ(row, wave.n_tokens);
  }
  EXPECT_GT(n_waves, 1);
  EXPECT_EQ(tokens.size(), corpus.token_ids.size());
  EXPECT_EQ(static_cast<std::int64_t>(windows.size()), corpus.n_windows);
}

TEST(SequenceRange, EndsAWaveAndIsCheckedAgainstTheCorpus) {
  const text::TokenCorpus corpus = test::random_corpus(20, 150, 67, 32, 8);
  const SequenceRange all = all_sequences(corpus);
  EXPECT_EQ(all.end, static_cast<std::int64_t>(corpus.sequences.size()));
  const Wave wave = next_wave(corpus, {3, 5}, 1'000'000);
  EXPECT_EQ(wave.first_sequence, 3);
  EXPECT_EQ(wave.end_sequence, 5);
  EXPECT_EQ(wave.n_tokens, first_token_of(corpus, 5) - first_token_of(corpus, 3));
  EXPECT_EQ(first_token_of(corpus, all.end), static_cast<std::int64_t>(corpus.token_ids.size()));
  EXPECT_NO_THROW(check_range(corpus, all));
  for (const SequenceRange wrong : {SequenceRange{-1, 2}, {2, 2}, {3, 2}, {0, all.end + 1}}) {
    EXPECT_THROW(check_range(corpus, wrong), Error) << wrong.begin << " to " << wrong.end;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, Batches, testing::Values(1, 32, 100, 1000));

}  // namespace
}  // namespace moescope::engine
