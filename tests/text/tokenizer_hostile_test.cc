// Wrong use and broken files: one clear line that names what is wrong, never a crash or a quiet wrong result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/base/random.h"
#include "moescope/text/regex.h"
#include "moescope/text/tokenizer.h"
#include "tests/fuzz/tokenizer_target.h"
#include "tests/text/fixture.h"

namespace moescope::text {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

json small_tokenizer() {
  return json::parse(R"({"version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
    "post_processor": null, "decoder": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3}, "merges": [["a", "b"]]}})");
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInput);
    return error.what();
  }
  return "no error";
}

std::string load_error(const std::string& text) {
  return error_of([&] { Tokenizer::from_json(text, "t.json"); });
}

// The error after one change of the small tokenizer.
std::string error_after(const std::function<void(json&)>& change) {
  json tokenizer = small_tokenizer();
  change(tokenizer);
  return load_error(tokenizer.dump());
}

json component(const char* key, const json& value) {
  json tokenizer = small_tokenizer();
  tokenizer[key] = value;
  return tokenizer;
}

TEST(HostileTokenizer, SmallTokenizerItselfLoads) {
  const Tokenizer tokenizer = Tokenizer::from_json(small_tokenizer().dump(), "t.json");
  const EncodedText encoding = tokenizer.encode("abcxab");
  EXPECT_EQ(encoding.ids, (std::vector<std::int32_t>{2, 3, 2}));  // without unk_token, "x" has no token
}

TEST(HostileTokenizer, FileThatIsNoJsonIsNamed) {
  EXPECT_THAT(load_error(""), AllOf(HasSubstr("t.json: "), HasSubstr("not JSON")));
  EXPECT_THAT(load_error(small_tokenizer().dump().substr(0, 100)), HasSubstr("not JSON"));
  EXPECT_THAT(load_error("[1, 2]"), HasSubstr("tokenizer is not an object"));
  EXPECT_THAT(load_error("\xff\xfe"), HasSubstr("not JSON"));
  EXPECT_THAT(load_error(std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(error_of([] { Tokenizer::load("/nonexistent/tokenizer.json"); }),
              HasSubstr("/nonexistent/tokenizer.json"));
}

TEST(HostileTokenizer, MissingAndMistypedFieldsAreNamed) {
  EXPECT_THAT(error_after([](json& t) { t.erase("model"); }), HasSubstr("tokenizer has no \"model\""));
  EXPECT_THAT(error_after([](json& t) { t["model"].erase("vocab"); }), HasSubstr("model has no \"vocab\""));
  EXPECT_THAT(error_after([](json& t) { t["model"]["vocab"] = 3; }), HasSubstr("model.vocab is not an object"));
  EXPECT_THAT(error_after([](json& t) { t["model"]["merges"] = "a b"; }), HasSubstr("model.merges is not an array"));
  EXPECT_THAT(error_after([](json& t) { t["model"]["fuse_unk"] = 1; }), HasSubstr("model.fuse_unk is neither"));
  EXPECT_THAT(error_after([](json& t) { t["added_tokens"] = json::object(); }),
              HasSubstr("added_tokens is not an array"));
  EXPECT_THAT(error_after([](json& t) { t["added_tokens"] = json::parse(R"([{"content": "x"}])"); }),
              HasSubstr("added_tokens[0] has no \"id\""));
}

TEST(HostileTokenizer, UnknownComponentsAreNamed) {
  for (const char* key : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    const std::string error = load_error(component(key, {{"type", "Frobnicate"}}).dump());
    EXPECT_THAT(error, AllOf(HasSubstr(key), HasSubstr("unknown type \"Frobnicate\"")));
  }
  const json nested = json::parse(R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Nmt\n"}]})");
  EXPECT_THAT(load_error(component("normalizer", nested).dump()), HasSubstr("normalizer.normalizers[1]"));
  for (const char* type : {"Unigram", "WordPiece", "WordLevel"}) {
    EXPECT_THAT(error_after([&](json& t) { t["model"]["type"] = type; }), AllOf(HasSubstr(type), HasSubstr("BPE")));
  }
  const json split = {{"type", "Split"}, {"pattern", {{"String", "x"}}}, {"behavior", "Sideways"}, {"invert", false}};
  EXPECT_THAT(load_error(component("pre_tokenizer", split).dump()), HasSubstr("unknown behaviour \"Sideways\""));
  const json metaspace = {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "sometimes"}};
  EXPECT_THAT(load_error(component("pre_tokenizer", metaspace).dump()), HasSubstr("sometimes"));
}

TEST(HostileTokenizer, IdsMustBeIdsAndAgree) {
  for (const json& id : {json(-1), json(1.5), json("7"), json(1ull << 40), json(nullptr)}) {
    EXPECT_THAT(error_after([&](json& t) { t["model"]["vocab"]["c"] = id; }), HasSubstr("is not a token id"));
  }
  EXPECT_THAT(error_after([](json& t) { t["model"]["vocab"]["c"] = 1 << 30; }), HasSubstr("the largest id"));
  EXPECT_THAT(error_after([](json& t) { t["model"]["vocab"]["c"] = 1; }), HasSubstr("gives id 1 to both"));
  const auto added = [](int id, const char* content) { return json{{"id", id}, {"content", content}}; };
  EXPECT_THAT(error_after([&](json& t) { t["added_tokens"] = json::array({added(9, "<x>")}); }),
              HasSubstr("the next free one is 4"));
  EXPECT_THAT(error_after([&](json& t) { t["added_tokens"] = json::array({added(2, "a")}); }),
              HasSubstr("model.vocab says 0"));
  EXPECT_THAT(error_after([&](json& t) {
                t["added_tokens"] = json::array({added(4, "<x>"), added(5, "<x>")});
              }),
              HasSubstr("twice"));
}

TEST(HostileTokenizer, MergesMustBePairsOfPieces) {
  const auto with_merge = [](const json& merge) {
    return error_after([&](json& t) { t["model"]["merges"] = json::array({merge}); });
  };
  EXPECT_THAT(with_merge("a"), HasSubstr("model.merges[0] is not two pieces"));
  EXPECT_THAT(with_merge("a b c"), HasSubstr("is not two pieces"));
  EXPECT_THAT(with_merge(json::array({"a"})), HasSubstr("neither"));
  EXPECT_THAT(with_merge(json::array({"a", 1})), HasSubstr("neither"));
  EXPECT_THAT(with_merge("a z"), HasSubstr("needs the piece \"z\""));
  EXPECT_THAT(with_merge("b a"), HasSubstr("needs the piece \"ba\""));
  EXPECT_THAT(error_after([](json& t) { t["model"]["dropout"] = 0.1; }), HasSubstr("model.dropout is 0.1"));
}

TEST(HostileTokenizer, UnknownTokenThatIsMissingIsAnErrorWhenItIsNeeded) {
  json json_text = small_tokenizer();
  json_text["model"]["unk_token"] = "<unk>";
  const Tokenizer tokenizer = Tokenizer::from_json(json_text.dump(), "t.json");
  EXPECT_EQ(tokenizer.encode("abc").ids.size(), 2u);
  EXPECT_THAT(error_of([&] { tokenizer.encode("abx"); }), HasSubstr("model.unk_token"));
}

TEST(HostileTokenizer, TemplatesMustNameTheirTokens) {
  json processor = json::parse(R"({"type": "TemplateProcessing", "pair": [], "special_tokens": {},
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}]})");
  EXPECT_THAT(load_error(component("post_processor", processor).dump()), HasSubstr("has no \"<s>\""));
  processor["special_tokens"] = json::parse(R"({"<s>": {"id": "<s>", "ids": [1, 2], "tokens": ["<s>"]}})");
  EXPECT_THAT(load_error(component("post_processor", processor).dump()), HasSubstr("not as many ids as tokens"));
  processor["single"] = json::parse(R"([{"Sequence": {"id": "B", "type_id": 0}}])");
  EXPECT_THAT(load_error(component("post_processor", processor).dump()), HasSubstr("sequence \"B\""));
}

TEST(HostileTokenizer, BadExpressionsAreShown) {
  const auto error = [](const char* expression) { return error_of([&] { Regex regex(expression); }); };
  for (const char* expression : {"(",      ")",     "[a",

                                 "*a",     "\\",    "[b-a]",       "\\p{Klingon}", "[[:nonsense:]]", "(?<n>a",
                                 "(?q)a",  "(?~a)", "\\x{110000}", "\\x{d800}",    "[\\w-a]",        "[a-\\d]",
                                 "\\k<n>", "[^]",   "(?x) a",      "\\y",          "(?<=a+)b"}) {
    EXPECT_THAT(error(expression), HasSubstr("regular expression")) << expression;
  }
  EXPECT_EQ(error("a{2"), "no error");  // no interval, so the brace stands for itself
  EXPECT_THAT(error(std::string(500, '(').c_str()), HasSubstr("nests too deeply"));
  EXPECT_THAT(error((std::string(500, '[') + "a").c_str()), HasSubstr("nests too deeply"));
}

TEST(HostileTokenizer, RunawayExpressionIsAnErrorAndNotAHang) {
  const Regex regex("(?:a+)+b|(?:a|aa)*c");
  const std::string text(200, 'a');
  EXPECT_THAT(error_of([&] { regex.find_all(text, [](std::size_t, std::size_t) {}); }), HasSubstr("cannot search"));
}

TEST(HostileTokenizer, TextThatIsNotUtf8IsRefused) {
  const Tokenizer tokenizer = Tokenizer::from_json(small_tokenizer().dump(), "t.json");
  for (const char* text : {"ab\xff", "a\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_THAT(error_of([&] { tokenizer.encode(text); }), HasSubstr("not UTF-8 at byte"));
  }
  EXPECT_THAT(error_of([&] { tokenizer.decode(std::vector<std::int32_t>{99}); }), HasSubstr("id 99"));
  EXPECT_THAT(error_of([&] { tokenizer.decode(std::vector<std::int32_t>{-1}); }), HasSubstr("id -1"));
}

TEST(HostileTokenizer, LongTextsTakeTimeInProportion) {
  const json fixture = read_fixture("tokenizer_variants.json");
  for (const char* name : {"byte_level_no_regex", "byte_level", "llama", "nfkd_lowercase_strip", "replace_adjacent"}) {
    const Tokenizer tokenizer = Tokenizer::from_json(tokenizer_json(fixture, name).dump(), name);
    // One word of a million letters: quadratic work would take hours.
    const std::string text(1'000'000, 'a');
    const EncodedText encoding = tokenizer.encode(text);
    ASSERT_FALSE(encoding.ids.empty()) << name;
    EXPECT_EQ(encoding.characters.back().end, 1'000'000) << name;
  }
}

// One to four small changes that keep most of the JSON readable.
std::string mutate(std::string bytes, Random& random) {
  static constexpr std::array<const char*, 14> kPieces = {
      "\"", "\\", "{", "}", "[", "]", "null", "-1", "4294967296", "\\\\p{L}", "(", "\\ud800", "\xFF", "true"};
  const auto position = [&] { return static_cast<std::size_t>(random.below(bytes.size())); };
  for (std::uint64_t n = 1 + random.below(4); n > 0 && !bytes.empty(); --n) {
    switch (random.below(5)) {
      case 0: bytes[position()] = static_cast<char>(0x20 + random.below(95)); break;
      case 1: bytes.erase(position(), 1 + random.below(12)); break;
      case 2: bytes.insert(position(), bytes.substr(position(), 1 + random.below(40))); break;
      case 3: bytes.insert(position(), kPieces[random.below(kPieces.size())]); break;
      default: bytes[position()] ^= static_cast<char>(1 << random.below(7));
    }
  }
  return bytes;
}

// A variant with a vocabulary small enough that most changes hit its components.
std::string seed_input(const json& fixture, const char* name) {
  json tokenizer = tokenizer_json(fixture, name);
  json& vocab = tokenizer["model"]["vocab"];
  json kept = json::object();
  int id = 0;
  for (const auto& [piece, old_id] : vocab.items()) {
    if (id < 24) kept[piece] = id++;
  }
  vocab = kept;
  tokenizer["model"]["merges"] = json::array();
  tokenizer["model"].erase("unk_token");
  for (auto& token : tokenizer["added_tokens"]) {
    token["id"] = kept.contains(token["content"]) ? kept[token["content"].get<std::string>()].get<int>() : id++;
  }
  return tokenizer.dump();
}

TEST(MutatedTokenizer, LoadsOrIsAnError) {
  const json fixture = read_fixture("tokenizer_variants.json");
  Random random(2024);
  for (const char* name : {"clip", "llama", "byte_level_deepseek", "added_stripped", "byte_level_then_template",
                           "expression_posix", "metaspace_first", "replace_chain", "decoder_sequence"}) {
    const std::string seed = seed_input(fixture, name);
    ASSERT_EQ(error_of([&] { Tokenizer::from_json(seed, name); }), "no error") << name;
    for (int i = 0; i < 300; ++i) fuzz::tokenizer(mutate(seed, random));
  }
}

}  // namespace
}  // namespace moescope::text
