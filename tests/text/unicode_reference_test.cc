// Character classes, normal forms and lower case of every code point against Hugging Face's tokenizers (hashes made by
// tests/reference/make_tokenizer_fixtures.py), and the UTF-8 functions against definitions.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "moescope/text/aligned_text.h"
#include "moescope/text/normalizer.h"
#include "moescope/text/regex.h"
#include "moescope/text/unicode.h"
#include "tests/text/fixture.h"
#include "tests/text/random_text.h"

namespace moescope::text {
namespace {

template <typename Visit>
void for_each_character(const Visit& visit) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c < 0xD800 || c >= 0xE000) visit(c);
  }
}

TEST(UnicodeAgainstTheReference, CharacterClassesHoldTheSameCodePoints) {
  std::string all;
  for_each_character([&](char32_t c) { append_utf8(c, all); });
  const nlohmann::json fixture = read_fixture("unicode.json");
  ASSERT_GT(fixture.at("classes").size(), 80u);
  for (const auto& [expression, expected] : fixture.at("classes").items()) {
    std::size_t count = 0;
    ResultHash hash;
    Regex(expression).find_all(all, [&](std::size_t begin, std::size_t end) {
      ASSERT_EQ(utf8_length(all[begin]), end - begin);
      hash.add(decode_utf8(all, begin));
      ++count;
    });
    EXPECT_EQ(count, expected.at(0).get<std::size_t>()) << expression;
    EXPECT_EQ(fmt::format("{:016x}", hash.value()), expected.at(1)) << expression;
  }
}

TEST(UnicodeAgainstTheReference, NormalFormsAndLowerCaseAreTheSameForEveryCodePoint) {
  const nlohmann::json fixture = read_fixture("unicode.json");
  for (const auto& [form, expected] : fixture.at("forms").items()) {
    const auto normalizer = make_normalizer({{"type", form}}, "normalizer");
    ResultHash hash;
    std::string text;
    for_each_character([&](char32_t c) {
      text = "a\u0323";
      append_utf8(c, text);
      text += "\u0301";
      AlignedText aligned(text);
      normalizer->apply(aligned);
      hash.add_text(aligned.text());
    });
    EXPECT_EQ(fmt::format("{:016x}", hash.value()), expected) << form;
  }
}

TEST(Utf8, EveryCharacterIsWrittenReadAndCounted) {
  for_each_character([](char32_t c) {
    std::string text = "x";
    append_utf8(c, text);
    text += "y";
    ASSERT_EQ(decode_utf8(text, 1), c);
    ASSERT_EQ(utf8_length(c), text.size() - 2);
    ASSERT_EQ(utf8_length(text[1]), text.size() - 2);
    ASSERT_EQ(count_code_points(text), 3u);
    ASSERT_EQ(previous_character(text, text.size() - 1), 1u);
    ASSERT_FALSE(find_invalid_utf8(text));
  });
}

TEST(Utf8, InvalidBytesAreFound) {
  EXPECT_EQ(find_invalid_utf8("abc\x80"), 3u);
  EXPECT_EQ(find_invalid_utf8("\xC3"), 0u);
  EXPECT_EQ(find_invalid_utf8("\xC3\xA9\xE2\x82"), 2u);
  EXPECT_EQ(find_invalid_utf8("\xC0\x80"), 0u);
  EXPECT_EQ(find_invalid_utf8("a\xED\xA0\x80"), 1u);
  EXPECT_EQ(find_invalid_utf8("\xF4\x90\x80\x80"), 0u);
  EXPECT_FALSE(find_invalid_utf8(""));
}

}  // namespace
}  // namespace moescope::text
