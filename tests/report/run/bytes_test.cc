#include "moescope/report/run/bytes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/report/run/page_reader.h"

namespace moescope::report {
namespace {

TEST(Base64, GivesTheVectorsOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFB\xFF\xBF"), "+/+/");
}

TEST(ByteWriter, WritesLeb128LikeItsStandardExample) {
  ByteWriter out;
  out.varint(624485);  // the example of DWARF 4, 7.6, figure 22
  EXPECT_EQ(out.bytes(), "\xE5\x8E\x26");
}

TEST(ByteWriter, IsReadBackByAnotherHand) {
  ByteWriter out;
  const std::uint64_t values[] = {0, 1, 127, 128, 16383, 16384, std::uint64_t{1} << 52};
  for (const std::uint64_t value : values) out.varint(value);
  out.u16(0xBEEF);
  out.f32(-1.5f);
  testing::PageBytes in(base64(out.bytes()));
  for (const std::uint64_t value : values) EXPECT_EQ(static_cast<std::uint64_t>(in.varint()), value);
  EXPECT_EQ(in.u16(), 0xBEEF);
  EXPECT_EQ(in.f32(), -1.5f);
  EXPECT_TRUE(in.at_end());
}

}  // namespace
}  // namespace moescope::report
