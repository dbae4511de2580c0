// Ids and offsets of 10,000 random Unicode strings and of a whole corpus against Hugging Face's tokenizers
// (tests/reference/make_tokenizer_fixtures.py keeps a hash of each result).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "moescope/base/parallel.h"
#include "moescope/io/documents.h"
#include "moescope/text/tokenizer.h"
#include "tests/text/fixture.h"
#include "tests/text/random_text.h"

namespace moescope::text {
namespace {

std::filesystem::path shared_data() {
  const char* folder = std::getenv("MOESCOPE_SHARED_DATA");
  return folder != nullptr ? folder : MOESCOPE_SOURCE_DIR "/../shared/data";
}

std::filesystem::path olmo_tokenizer() { return shared_data() / "tokenizers/olmo-dolma-v1_5.tokenizer.json"; }

// The 32-bit hashes that the fixture keeps in base64.
std::vector<std::uint32_t> decode_hashes(const std::string& base64) {
  static const std::string kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<unsigned char> bytes;
  std::uint32_t bits = 0;
  int n_bits = 0;
  for (const char c : base64) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string::npos) break;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    n_bits += 6;
    if (n_bits >= 8) bytes.push_back(static_cast<unsigned char>(bits >> (n_bits -= 8)));
  }
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    out.push_back(bytes[i] | static_cast<std::uint32_t>(bytes[i + 1]) << 8 |
                  static_cast<std::uint32_t>(bytes[i + 2]) << 16 | static_cast<std::uint32_t>(bytes[i + 3]) << 24);
  }
  return out;
}

std::uint64_t hash_of(const EncodedText& encoding) {
  ResultHash hash;
  hash.add_encoding(encoding);
  return hash.value();
}

void expect_equal_on_random_strings(const Tokenizer& tokenizer, const nlohmann::json& fixture,
                                    const std::string& base64) {
  const std::vector<std::uint32_t> expected = decode_hashes(base64);
  ASSERT_EQ(expected.size(), fixture.at("n").get<std::size_t>());
  ASSERT_EQ(expected.size(), 10'000u);
  int n_wrong = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string text = random_text(i);
    if (static_cast<std::uint32_t>(hash_of(tokenizer.encode(text))) == expected[i]) continue;
    if (++n_wrong <= 5) ADD_FAILURE() << "string " << i << ": " << nlohmann::json(text).dump();
  }
  EXPECT_EQ(n_wrong, 0);
}

TEST(TokenizerOnRandomStrings, EqualsTheReferenceWithSmallTokenizers) {
  const nlohmann::json fixture = read_fixture("random_strings.json");
  const nlohmann::json variants = read_fixture("tokenizer_variants.json");
  int n_checked = 0;
  for (const auto& row : variants.at("variants")) {
    const auto name = row.at("name").get<std::string>();
    if (!fixture.at("variants").contains(name)) continue;
    SCOPED_TRACE(name);
    const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json(variants, row).dump(), name);
    expect_equal_on_random_strings(tokenizer, fixture, fixture.at("variants").at(name));
    ++n_checked;
  }
  EXPECT_EQ(n_checked, static_cast<int>(fixture.at("variants").size()));
}

TEST(TokenizerOnRandomStrings, EqualsTheReferenceWithOlmosTokenizer) {
  if (!std::filesystem::exists(olmo_tokenizer())) GTEST_SKIP() << "no " << olmo_tokenizer();
  const nlohmann::json fixture = read_fixture("random_strings.json");
  expect_equal_on_random_strings(Tokenizer::load(olmo_tokenizer()), fixture, fixture.at("olmo"));
}

TEST(TokenizerOnACorpus, EqualsTheReferenceInEveryDocument) {
  const std::filesystem::path corpus = shared_data() / "corpus/mixed.jsonl.zst";
  if (!std::filesystem::exists(corpus) || !std::filesystem::exists(olmo_tokenizer())) GTEST_SKIP() << "no " << corpus;
  const nlohmann::json fixture = read_fixture("corpus_olmo.json");
  const auto expected = fixture.at("documents").get<std::vector<std::string>>();
  const Tokenizer tokenizer = Tokenizer::load(olmo_tokenizer());
  const auto reader = io::open_corpus(corpus.string());
  std::size_t n_documents = 0, n_tokens = 0;
  while (const auto document = reader->next()) {
    ASSERT_LT(n_documents, expected.size());
    const EncodedText encoding = tokenizer.encode(document->text);
    ASSERT_EQ(fmt::format("{:016x}", hash_of(encoding)), expected[n_documents]) << document->id;
    ASSERT_EQ(tokenizer.decode(encoding.ids, false).size() > 0, !encoding.ids.empty());
    n_tokens += encoding.ids.size();
    ++n_documents;
  }
  EXPECT_EQ(n_documents, expected.size());
  EXPECT_EQ(n_tokens, fixture.at("n_tokens").get<std::size_t>());
}

TEST(TokenizerOnManyThreads, GivesTheResultsOfOne) {
  const nlohmann::json variants = read_fixture("tokenizer_variants.json");
  for (const char* name : {"byte_level_llama3", "nfkd_lowercase_strip", "llama"}) {
    const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json(variants, name).dump(), name);
    std::vector<std::uint64_t> hashes(600);
    parallel_for(hashes.size(), 8, [&](std::size_t i) { hashes[i] = hash_of(tokenizer.encode(random_text(i))); });
    for (std::size_t i = 0; i < hashes.size(); ++i) EXPECT_EQ(hashes[i], hash_of(tokenizer.encode(random_text(i))));
  }
}

}  // namespace
}  // namespace moescope::text
