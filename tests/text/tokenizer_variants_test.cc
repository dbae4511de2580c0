// Every component of tokenizer.json against results of Hugging Face's tokenizers
// (tests/reference/make_tokenizer_fixtures.py): ids, character offsets and decoded text on tricky and random texts.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "moescope/text/tokenizer.h"
#include "tests/text/fixture.h"
#include "tests/text/random_text.h"

namespace moescope::text {
namespace {

std::string short_hash(const ResultHash& hash) { return fmt::format("{:08x}", hash.value() & 0xFFFFFFFFu); }

std::string describe(const EncodedText& encoding) {
  std::string out;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const Offset& offset = encoding.characters[i];
    out += fmt::format("({}, ({}, {})), ", encoding.ids[i], offset.begin, offset.end);
  }
  return out;
}

struct Results {
  EncodedText plain, special;
  std::string hashes;
};

Results results_of(const Tokenizer& tokenizer, const std::string& text) {
  Results results{tokenizer.encode(text), tokenizer.encode(text, true), {}};
  for (const EncodedText* encoding : {&results.plain, &results.special}) {
    ResultHash hash;
    hash.add_encoding(*encoding);
    results.hashes += short_hash(hash);
  }
  for (const bool skip : {false, true}) {
    ResultHash hash;
    hash.add_text(tokenizer.decode(results.special.ids, skip));
    results.hashes += short_hash(hash);
  }
  return results;
}

// Byte offsets must cover the same characters as character offsets.
void expect_same_ranges(const std::string& text, const EncodedText& encoding) {
  ASSERT_EQ(encoding.bytes.size(), encoding.characters.size());
  const auto n_characters = static_cast<std::int64_t>(count_code_points(text));
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [begin, end] = encoding.bytes[i];
    if (encoding.characters[i].end > n_characters) continue;  // beyond the text, as in the reference
    ASSERT_LE(begin, end);
    ASSERT_LE(end, static_cast<std::int64_t>(text.size()));
    const auto characters_before = [&](std::int64_t byte) {
      return static_cast<std::int64_t>(
          count_code_points(std::string_view(text).substr(0, static_cast<std::size_t>(byte))));
    };
    EXPECT_EQ(characters_before(begin), encoding.characters[i].begin);
    EXPECT_EQ(characters_before(end), encoding.characters[i].end);
  }
}

class TokenizerVariants : public ::testing::TestWithParam<int> {
 protected:
  static const nlohmann::json& fixture() {
    static const nlohmann::json read = read_fixture("tokenizer_variants.json");
    return read;
  }
};

TEST_P(TokenizerVariants, GiveTheReferencesResults) {
  const nlohmann::json& row = fixture().at("variants").at(static_cast<std::size_t>(GetParam()));
  const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json(fixture(), row).dump(), row.at("name"));
  const auto& expected = row.at("results").get_ref<const std::string&>();
  const auto texts = fixture().at("texts").get<std::vector<std::string>>();
  ASSERT_EQ(expected.size(), texts.size() * 32);
  int n_wrong = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string wanted = expected.substr(i * 32, 32);
    SCOPED_TRACE(fmt::format("{} text {}: {}", row.at("name").get<std::string>(), i, nlohmann::json(texts[i]).dump()));
    const Results results = results_of(tokenizer, texts[i]);
    expect_same_ranges(texts[i], results.plain);
    expect_same_ranges(texts[i], results.special);
    if (wanted[0] == '-') continue;  // the reference panics; being here means that we do not
    EXPECT_EQ(results.hashes, wanted) << describe(results.special) << "\n"
                                      << nlohmann::json(tokenizer.decode(results.special.ids, false)).dump();
    if (results.hashes != wanted && ++n_wrong >= 3) break;
  }
}

std::string variant_name(const ::testing::TestParamInfo<int>& info) {
  static const nlohmann::json fixture = read_fixture("tokenizer_variants.json");
  return fixture.at("variants").at(static_cast<std::size_t>(info.param)).at("name").get<std::string>();
}

int n_variants() { return static_cast<int>(read_fixture("tokenizer_variants.json").at("variants").size()); }

INSTANTIATE_TEST_SUITE_P(Reference, TokenizerVariants, ::testing::Range(0, n_variants()), variant_name);

}  // namespace
}  // namespace moescope::text
