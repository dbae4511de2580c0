#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "moescope/analysis/probe/samples.h"
#include "moescope/base/error.h"
#include "tests/record/tiny_model.h"

namespace moescope::analysis::probe {
namespace {

using ::testing::HasSubstr;

text::ConceptLibrary concepts() {
  return text::ConceptLibrary::from_json(R"({"concepts": [
    {"name": "digit", "category": "text", "expressions": ["[0-9]+"]},
    {"name": "upper", "category": "latex", "expressions": ["[A-Z]"]},
    {"name": "low_x", "category": "code", "expressions": ["x"]},
    {"name": "noun", "category": "pos", "tags": ["NOUN"]},
    {"name": "never", "category": "text", "expressions": ["never"]}]})",
                                         "test");
}

struct Built {
  text::Tokenizer tokenizer = text::Tokenizer::from_json(test::tiny_tokenizer_json(), "tiny");
  text::ConceptLibrary library = concepts();
  SampleOptions options;
  SampleBuilder builder() const { return SampleBuilder(tokenizer, library, options); }
};

// The window's text, one character a token.
std::string text_of(const Built& built, const ProbeCorpus& corpus, std::size_t window) {
  std::string text;
  for (std::int64_t t = 0; t < corpus.windows[window].n_tokens; ++t) {
    const auto idx = static_cast<std::size_t>(corpus.windows[window].first_token + t);
    text += built.tokenizer.piece_bytes(corpus.tokens.token_ids[idx]);
  }
  return text;
}

TEST(ProbeSamples, WindowsStandWhereTheirKindHasThem) {
  Built built;
  built.options.window_characters = 5;
  built.options.tagged_characters = 7;
  SampleBuilder builder = built.builder();
  builder.add_document({"a", "abcdefgh 123", "ArXiv"}, 0);
  builder.add_document({"b", "abcdefgh 123", "Github"}, 0);
  builder.add_document({"c", "ab", ""}, 0);
  builder.add_sentence({"s", "d1", "", "cats eat mice", {{0, 4, "NOUN"}, {5, 8, "VERB"}, {9, 13, "NOUN"}}}, 0);
  builder.add_sentence({"t", "d1", "", "go", {{0, 2, "VERB"}}}, 0);
  const ProbeCorpus corpus = builder.build();
  ASSERT_EQ(corpus.windows.size(), 5u);
  EXPECT_EQ(text_of(built, corpus, 0), "abcde");
  EXPECT_EQ(text_of(built, corpus, 1), "h 123");
  EXPECT_EQ(text_of(built, corpus, 2), "ab");
  EXPECT_EQ(text_of(built, corpus, 3), "cats ea");
  EXPECT_EQ(corpus.windows[3].document, corpus.windows[4].document);
  EXPECT_EQ(corpus.n_documents, 4);
  EXPECT_EQ(corpus.tokens.sequences.size(), 5u);
  EXPECT_EQ(corpus.tokens.context, 7);
}

TEST(ProbeSamples, SeveralWindowsOfADocumentShareItAndDoNotOverlap) {
  Built built;
  built.options.window_characters = 5;
  built.options.windows_per_document = 3;
  SampleBuilder builder = built.builder();
  builder.add_document({"a", "abcdefghijkl", "Github"}, 0);
  const ProbeCorpus corpus = builder.build();
  ASSERT_EQ(corpus.windows.size(), 3u);
  EXPECT_EQ(text_of(built, corpus, 0), "hijkl");
  EXPECT_EQ(text_of(built, corpus, 1), "cdefg");
  EXPECT_EQ(text_of(built, corpus, 2), "ab");
  EXPECT_EQ(corpus.n_documents, 1);
}

std::map<char, std::vector<int>> labels_by_letter(const Built& built, const ProbeCorpus& corpus, std::size_t c) {
  std::map<char, std::vector<int>> labels;
  for (const SampleToken& item : corpus.samples[c]) {
    const std::int32_t id = corpus.tokens.token_ids[static_cast<std::size_t>(item.token_idx)];
    labels[built.tokenizer.piece_bytes(id)[0]].push_back(item.label);
  }
  return labels;
}

TEST(ProbeSamples, ConceptsAreLookedForInTheirKindOfText) {
  Built built;
  SampleBuilder builder = built.builder();
  builder.add_document({"a", "xX1abcdef", "ArXiv"}, 0);
  builder.add_document({"b", "yY2ghixjkl", "Github"}, 0);
  builder.add_document({"c", "xZ3", "other"}, 0);
  builder.add_sentence({"s", "d", "", "ox 7 eats", {{0, 2, "NOUN"}, {3, 4, "NUM"}, {5, 9, "VERB"}}}, 0);
  const ProbeCorpus corpus = builder.build();
  const auto positives = [&](std::size_t c) {
    std::set<char> letters;
    for (const auto& [letter, labels] : labels_by_letter(built, corpus, c)) {
      for (const int label : labels) {
        if (label == 1) letters.insert(letter);
      }
    }
    return letters;
  };
  EXPECT_EQ(positives(0), (std::set<char>{'1', '2', '3', '7'}));
  EXPECT_EQ(positives(1), (std::set<char>{'X'}));       // only in LaTeX
  EXPECT_EQ(positives(2), (std::set<char>{'x'}));       // only in code
  EXPECT_EQ(corpus.samples[2].size(), 2u);              // the x of document b and one negative
  EXPECT_EQ(positives(3), (std::set<char>{'o', 'x'}));  // only in tagged text
  EXPECT_TRUE(corpus.samples[4].empty());
}

TEST(ProbeSamples, NegativesAreAsManyFromTheSameWindowAndEachOnce) {
  Built built;
  SampleBuilder builder = built.builder();
  for (int i = 0; i < 30; ++i) builder.add_document({"a", i % 2 == 0 ? "12abcdefgh" : "123456ab", ""}, 0);
  const ProbeCorpus corpus = builder.build();
  std::map<std::int32_t, int> n_positive, n_negative;
  std::set<std::int64_t> tokens;
  for (const SampleToken& item : corpus.samples[0]) {
    ++(item.label != 0 ? n_positive : n_negative)[item.document];
    EXPECT_TRUE(tokens.insert(item.token_idx).second) << "a token twice";
  }
  EXPECT_EQ(n_positive.size(), 30u);
  for (const auto& [document, n] : n_positive) {
    EXPECT_EQ(n, document % 2 == 0 ? 2 : 6);
    EXPECT_EQ(n_negative[document], 2);  // two letters are all that odd ones have
  }
  std::int64_t n_sampled = 0;
  for (const std::int32_t row : corpus.sampled_row) n_sampled += row >= 0 ? 1 : 0;
  EXPECT_EQ(n_sampled, corpus.n_sampled);
}

TEST(ProbeSamples, StopAtTheNumberOfTokensAndFollowTheSeed) {
  Built built;
  built.options.n_tokens_per_concept = 20;
  const auto draw = [&](std::uint64_t seed) {
    built.options.seed = seed;
    SampleBuilder builder = built.builder();
    for (int i = 0; i < 50; ++i) builder.add_document({"a", "12abcdefgh", ""}, 0);
    const ProbeCorpus corpus = builder.build();
    std::vector<std::int64_t> tokens;
    for (const SampleToken& item : corpus.samples[0]) tokens.push_back(item.token_idx);
    return tokens;
  };
  EXPECT_EQ(draw(1).size(), 20u);
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
}

TEST(ProbeSamples, LongWindowsAreCutAndCountedAndTheShiftedSourceStandsApart) {
  Built built;
  built.options.n_context = 4;
  SampleBuilder builder = built.builder();
  builder.add_document({"a", "1bc2efg3", ""}, 0);
  builder.add_document({"b", "9z", ""}, 1);
  const ProbeCorpus corpus = builder.build();
  EXPECT_EQ(corpus.n_cut, 1);
  EXPECT_EQ(corpus.windows[0].n_tokens, 4);
  EXPECT_EQ(corpus.samples[0].size(), 4u);
  EXPECT_EQ(corpus.shifted_samples[0].size(), 2u);
  for (const SampleToken& item : corpus.samples[0]) EXPECT_LT(item.token_idx, 4);
  for (const SampleToken& item : corpus.shifted_samples[0]) EXPECT_GE(item.token_idx, 4);
}

TEST(ProbeSamples, NothingToReadIsAnError) {
  const Built built;
  SampleBuilder builder = built.builder();
  EXPECT_THROW(builder.build(), Error);
}

std::vector<SampleToken> many_documents() {
  std::vector<SampleToken> sample;
  Random random(5);
  for (std::int32_t document = 0; document < 200; ++document) {
    const auto n = 1 + static_cast<int>(random.below(6));
    for (int i = 0; i < n; ++i) {
      for (const std::uint8_t label : {std::uint8_t{0}, std::uint8_t{1}}) {
        sample.push_back({static_cast<std::int64_t>(sample.size()), document, label});
      }
    }
  }
  return sample;
}

TEST(ProbeSplit, KeepsDocumentsWholeAndReachesTheShares) {
  const std::vector<SampleToken> sample = many_documents();
  const std::vector<std::uint8_t> parts = split_by_document(sample, 0.6, 0.2, 3);
  std::map<std::int32_t, std::set<int>> of_document;
  double n[3] = {}, n_all = 0;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    of_document[sample[i].document].insert(parts[i]);
    n[parts[i]] += sample[i].label;
    n_all += sample[i].label;
  }
  for (const auto& [document, found] : of_document) EXPECT_EQ(found.size(), 1u) << document;
  EXPECT_NEAR(n[0] / n_all, 0.6, 0.02);
  EXPECT_NEAR(n[1] / n_all, 0.2, 0.02);
  EXPECT_NEAR(n[2] / n_all, 0.2, 0.02);
  EXPECT_NE(split_by_document(sample, 0.6, 0.2, 4), parts);
}

TEST(ProbeSplit, HalvesAreDisjointByDocumentAndAboutEqual) {
  const std::vector<SampleToken> sample = many_documents();
  const std::vector<std::uint8_t> halves = halves_by_document(sample, 3);
  std::map<std::int32_t, std::set<int>> of_document;
  double n = 0;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    of_document[sample[i].document].insert(halves[i]);
    n += halves[i];
  }
  for (const auto& [document, found] : of_document) EXPECT_EQ(found.size(), 1u) << document;
  EXPECT_NEAR(n / static_cast<double>(sample.size()), 0.5, 0.12);
}

}  // namespace
}  // namespace moescope::analysis::probe
