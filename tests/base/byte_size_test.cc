#include "moescope/base/byte_size.h"

#include <gtest/gtest.h>

#include "moescope/base/error.h"

namespace moescope {
namespace {

TEST(ByteSize, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(parse_bytes("2000000"), 2000000u);
  EXPECT_EQ(parse_bytes("8G"), 8000000000u);
  EXPECT_EQ(parse_bytes("1.5 GB"), 1500000000u);
  EXPECT_EQ(parse_bytes("512M"), 512000000u);
  EXPECT_EQ(parse_bytes("4Ki"), 4096u);
  EXPECT_EQ(parse_bytes("2GiB"), 2147483648u);
  EXPECT_EQ(parse_bytes("0"), 0u);
  for (const char* bad : {"", "G", "8X", "-1G", "0.5", "nan", "1e30", "8 G B"}) {
    EXPECT_THROW(parse_bytes(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace moescope
