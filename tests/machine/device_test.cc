// The words for devices and dtypes, right and wrong.
#include "moescope/machine/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "moescope/base/error.h"

namespace moescope::machine {
namespace {

using testing::HasSubstr;

// "KIND: message" of the error, or "none".
template <typename Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(error.kind() == ErrorKind::kUsage ? "usage: " : "environment: ") + error.what();
  }
  return "none";
}

TEST(Device, TheProcessorIsAlwaysThere) { EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU)); }

TEST(Device, OtherWordsSayWhatIsAllowed) {
  for (const char* word : {"gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cuda:1 ", "cuda:0000", "cpu:0", "cud", ""}) {
    EXPECT_EQ(error_of([&] { parse_device(word); }),
              "usage: unknown device '" + std::string(word) + "': expected cpu, cuda or cuda:INDEX");
  }
}

TEST(Device, ACardThatIsNotThereIsSaid) {
  const std::string message = error_of([] { parse_device("cuda:999"); });
  EXPECT_THAT(message, HasSubstr("environment: device 'cuda:999' does not exist: this LibTorch sees "));
  if (!at::hasCUDA()) {
    EXPECT_THAT(error_of([] { parse_device("cuda"); }), HasSubstr("sees 0 CUDA devices (cpu is always there)"));
  }
}

TEST(Dtype, WordsAreThoseThatAreWritten) {
  for (const char* word : {"float32", "bfloat16"}) EXPECT_STREQ(dtype_word(parse_dtype(word)), word);
  EXPECT_EQ(error_of([] { parse_dtype("auto"); }), "usage: unknown dtype 'auto': expected float32 or bfloat16");
  EXPECT_EQ(error_of([] { choose_dtype("fp16", at::kHalf, at::Device(at::kCPU)); }),
            "usage: unknown dtype 'fp16': expected auto, float32 or bfloat16");
}

TEST(Dtype, AutoNeverLosesPrecisionOrRange) {
  const at::Device cpu(at::kCPU), card(at::kCUDA, 0);
  EXPECT_EQ(choose_dtype("auto", at::kHalf, cpu), at::kFloat);
  EXPECT_EQ(choose_dtype("auto", at::kHalf, card), at::kFloat);
  EXPECT_EQ(choose_dtype("auto", at::kFloat, card), at::kFloat);
  EXPECT_EQ(choose_dtype("auto", at::kBFloat16, card), at::kBFloat16);
  EXPECT_EQ(choose_dtype("bfloat16", at::kFloat, cpu), at::kBFloat16);
}

}  // namespace
}  // namespace moescope::machine
