// Training against Hugging Face's trainer (fixture), against a naive trainer, and on hostile input.
#include "moescope/text/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/text/byte_level.h"
#include "moescope/text/tokenizer.h"
#include "tests/text/fixture.h"
#include "tests/text/random_text.h"

namespace moescope::text {
namespace {

std::function<std::optional<std::string>()> each_of(const std::vector<std::string>& texts) {
  return [&texts, i = std::size_t{0}]() mutable -> std::optional<std::string> {
    if (i == texts.size()) return std::nullopt;
    return texts[i++];
  };
}

nlohmann::json train(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  return nlohmann::json::parse(train_byte_level_bpe(each_of(texts), options));
}

std::vector<std::string> random_texts(std::size_t n) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < n; ++i) texts.push_back(random_text(i));
  return texts;
}

std::vector<std::string> pieces_by_id(const nlohmann::json& tokenizer) {
  const auto& vocab = tokenizer.at("model").at("vocab");
  std::vector<std::string> pieces(vocab.size());
  for (const auto& [piece, id] : vocab.items()) pieces.at(id.get<std::size_t>()) = piece;
  return pieces;
}

TEST(BpeTraining, EqualsTheReference) {
  const nlohmann::json fixture = read_fixture("bpe_training.json");
  const std::vector<std::vector<std::string>> texts = {fixture.at("training_text").get<std::vector<std::string>>(),
                                                       random_texts(3000),
                                                       std::vector<std::string>(3, "abcabcabc aaaaaa aaaa bcabc abab")};
  for (const auto& row : fixture.at("cases")) {
    BpeTrainerOptions options;
    options.min_pair_count = row.at("min_pair_count");
    options.special_tokens = {"<|endoftext|>", "[X]"};
    // The reference stops silently where pairs run out; here the vocabulary asked for is what it reached.
    options.vocab_size = static_cast<std::int32_t>(258 + row.at("pieces").size());
    const nlohmann::json trained = train(texts.at(row.at("texts").get<std::size_t>()), options);
    std::vector<std::string> pieces = pieces_by_id(trained);
    pieces.erase(pieces.begin(), pieces.begin() + 258);
    EXPECT_EQ(nlohmann::json(pieces), row.at("pieces"));
    EXPECT_EQ(trained.at("model").at("merges"), row.at("merges"));
  }
}

// The most frequent pair of bytes-so-far, counted anew for every merge.
std::vector<std::pair<std::string, std::string>> naive_merges(const std::vector<std::string>& texts, int n_merges) {
  std::map<std::vector<int>, int> words;
  std::vector<std::string> pieces;
  std::map<std::string, int> ids;
  std::vector<char32_t> alphabet;
  for (int byte = 0; byte < 256; ++byte) alphabet.push_back(byte_character(static_cast<std::uint8_t>(byte)));
  std::sort(alphabet.begin(), alphabet.end());
  for (const char32_t c : alphabet) {
    std::string piece;
    append_utf8(c, piece);
    ids[piece] = static_cast<int>(pieces.size());
    pieces.push_back(piece);
  }
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = next_gpt2_word(text, begin);
      std::vector<int> word;
      for (std::size_t i = begin; i < end; ++i) {
        std::string piece;
        append_utf8(byte_character(static_cast<std::uint8_t>(text[i])), piece);
        word.push_back(ids.at(piece));
      }
      ++words[word];
      begin = end;
    }
  }
  std::vector<std::pair<std::string, std::string>> merges;
  for (int merge = 0; merge < n_merges; ++merge) {
    std::map<std::pair<int, int>, int> counts;
    for (const auto& [word, count] : words) {
      for (std::size_t i = 0; i + 1 < word.size(); ++i) counts[{word[i], word[i + 1]}] += count;
    }
    auto best = counts.begin();
    for (auto it = counts.begin(); it != counts.end(); ++it) {
      if (it->second > best->second) best = it;
    }
    const auto [left, right] = best->first;
    merges.emplace_back(pieces[static_cast<std::size_t>(left)], pieces[static_cast<std::size_t>(right)]);
    const int id = static_cast<int>(pieces.size());
    pieces.push_back(merges.back().first + merges.back().second);
    std::map<std::vector<int>, int> merged_words;
    for (const auto& [word, count] : words) {
      std::vector<int> merged;
      for (std::size_t i = 0; i < word.size(); ++i) {
        const bool is_pair = word[i] == left && i + 1 < word.size() && word[i + 1] == right;
        merged.push_back(is_pair ? id : word[i]);
        i += is_pair;
      }
      merged_words[merged] += count;
    }
    words = std::move(merged_words);
  }
  return merges;
}

TEST(BpeTraining, EqualsCountingAnewForEveryMerge) {
  const std::vector<std::string> texts = {"the fox and the dog and the other fox, then there they were",
                                          "them these those that than thus; and, and, and another",
                                          "caf\u00e9 caf\u00e9s"};
  BpeTrainerOptions options;
  options.special_tokens = {};
  options.vocab_size = 256 + 14;
  const nlohmann::json trained = train(texts, options);
  nlohmann::json expected = nlohmann::json::array();
  for (const auto& [left, right] : naive_merges(texts, 14)) expected.push_back({left, right});
  EXPECT_EQ(trained.at("model").at("merges"), expected);
}

TEST(BpeTraining, GivesATokenizerThatRestoresEveryText) {
  const std::vector<std::string> texts = random_texts(500);
  BpeTrainerOptions options;
  options.vocab_size = 400;
  const Tokenizer tokenizer = Tokenizer::from_json(train_byte_level_bpe(each_of(texts), options), "trained");
  EXPECT_EQ(tokenizer.vocab_size(), 400);
  EXPECT_EQ(tokenizer.id_of("<|endoftext|>"), 0);
  EXPECT_TRUE(tokenizer.is_special(0));
  for (std::size_t i = 0; i < 800; ++i) {
    const std::string text = random_text(i);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text).ids, false), text);
  }
}

TEST(BpeTraining, DoesNotDependOnTheOrderOfTexts) {
  std::vector<std::string> texts = random_texts(300);
  BpeTrainerOptions options;
  options.vocab_size = 330;
  const nlohmann::json forward = train(texts, options);
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(train(texts, options), forward);
}

std::string error_of(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  try {
    train_byte_level_bpe(each_of(texts), options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(BpeTraining, SaysWhatIsWrong) {
  using ::testing::HasSubstr;
  EXPECT_THAT(error_of({"too little"}, {}), HasSubstr("give more text"));
  EXPECT_THAT(error_of({}, {}), HasSubstr("257 pieces"));
  EXPECT_THAT(error_of({"a\xff"}, {}), HasSubstr("not UTF-8 at byte 1"));
  BpeTrainerOptions small;
  small.vocab_size = 100;
  EXPECT_THAT(error_of({"abc"}, small), HasSubstr("vocab_size 100 is smaller than"));
  BpeTrainerOptions empty_special;
  empty_special.special_tokens = {""};
  EXPECT_THAT(error_of({"abc"}, empty_special), HasSubstr("special token \"\""));
}

}  // namespace
}  // namespace moescope::text
