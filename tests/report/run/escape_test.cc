#include "moescope/report/run/escape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace moescope::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(HtmlEscape, LeavesNoMarkup) {
  EXPECT_EQ(html_escape("<b a='1' b=\"2\">&amp;"), "&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;amp;");
}

TEST(HtmlEscape, ReplacesNulBidiControlsAndInvalidBytes) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(html_escape(std::string("a\0b", 3)), "a" + bad + "b");
  EXPECT_EQ(html_escape("a\xE2\x80\xAE"
                        "b\xE2\x81\xA6"
                        "c\xD8\x9C"),
            "a" + bad + "b" + bad + "c" + bad);
  EXPECT_EQ(html_escape("a\xFF"
                        "b"),
            "a" + bad + "b");
  EXPECT_THAT(html_escape("\xED\xA0\x80"), Not(HasSubstr("\xED\xA0\x80"))) << "a surrogate is not UTF-8";
  EXPECT_EQ(html_escape("caf\xC3\xA9 \xF0\x9F\x99\x82\n"), "caf\xC3\xA9 \xF0\x9F\x99\x82\n");
}

TEST(ScriptJson, CannotEndItsElement) {
  const std::string text = script_json({{"</script><!--<script>", "a && b --> \xE2\x80\xA8"}});
  for (const char c : std::string("<>&")) EXPECT_EQ(text.find(c), std::string::npos);
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 128) << "U+2028 is escaped";
}

TEST(ScriptJson, SaysTheSameToAJsonReader) {
  const nlohmann::json value = {{"a<b", {1, 2.5, nullptr, true, "\\u003c </x> \t \xF0\x9F\x99\x82 \"q\" \\"}}};
  EXPECT_EQ(nlohmann::json::parse(script_json(value)), value);
}

TEST(ScriptJson, ReplacesInvalidUtf8) {
  EXPECT_EQ(nlohmann::json::parse(script_json("a\xC3")), nlohmann::json("a\xEF\xBF\xBD"));
}

}  // namespace
}  // namespace moescope::report
