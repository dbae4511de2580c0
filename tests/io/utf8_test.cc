#include "moescope/io/utf8.h"

#include <gtest/gtest.h>

#include <vector>

#include "moescope/base/random.h"

namespace moescope::io {
namespace {

std::pair<std::string, std::int64_t> repaired(const std::string& bytes) {
  std::int64_t n = 0;
  std::string text = repair_utf8(bytes, n);
  return {text, n};
}

using Result = std::pair<std::string, std::int64_t>;

TEST(Utf8, KeepsValidTextOfEveryLength) {
  for (const char* text :
       {"", "a", "\u007F\u0080\u07FF\u0800\uD7FF\uE000\uFFFF\U00010000\U0010FFFF", "äöü€\U0001F600"}) {
    EXPECT_EQ(repaired(text), Result(text, 0));
    EXPECT_TRUE(is_utf8(text));
  }
}

// The examples of the Unicode standard, tables 3-8 to 3-11.
TEST(Utf8, ReplacesMaximalSubparts) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), Result(r + r + r + r + r + r + r + r + "A", 8));
  EXPECT_EQ(repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), Result(r + r + r + r + r + r + r + r + "A", 8));
  EXPECT_EQ(repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), Result(r + r + r + r + r + "A" + r + r + "B", 7));
  EXPECT_EQ(repaired("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), Result(r + r + r + r + "A", 8));
}

TEST(Utf8, RepairOfRandomBytesIsValidAndRepairingAgainChangesNothing) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random.below(24), '\0');
    // Mostly bytes of long characters, so that broken ones are near misses.
    for (char& byte : bytes)
      byte = static_cast<char>(random.below(3) == 0 ? random.below(256) : 0x80 + random.below(128));
    const auto [text, n] = repaired(bytes);
    ASSERT_TRUE(is_utf8(text));
    ASSERT_EQ(n == 0, is_utf8(bytes));
    ASSERT_EQ(repaired(text), Result(text, 0));
  }
}

}  // namespace
}  // namespace moescope::io
