#include "moescope/model/quantized.h"

#include <ATen/Parallel.h>

#include <array>
#include <cmath>

#include "moescope/base/error.h"

namespace moescope::model {
namespace {

// Sign, exponent and mantissa of four bits: E2M1 without infinities.
constexpr std::array<float, 16> kFp4 = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                        -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};
constexpr std::int64_t kBytesPerBlock = 16;
constexpr int kScaleBias = 127;

}  // namespace

at::Tensor decode_mxfp4(const at::Tensor& blocks, const at::Tensor& scales) {
  MOESCOPE_ASSERT(blocks.dim() == 3 && blocks.size(2) == kBytesPerBlock && blocks.is_contiguous());
  MOESCOPE_ASSERT(scales.is_contiguous() && scales.size(0) == blocks.size(0) && scales.size(1) == blocks.size(1));
  at::Tensor out = at::empty({blocks.size(0), blocks.size(1) * 2 * kBytesPerBlock}, at::kFloat);
  const std::uint8_t* bytes = blocks.const_data_ptr<std::uint8_t>();
  const std::uint8_t* scale = scales.const_data_ptr<std::uint8_t>();
  float* to = out.data_ptr<float>();
  at::parallel_for(0, scales.numel(), 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const float factor = std::ldexp(1.0F, scale[block] - kScaleBias);
      for (std::int64_t i = 0; i < kBytesPerBlock; ++i) {
        const std::uint8_t byte = bytes[block * kBytesPerBlock + i];
        float* pair = to + (block * kBytesPerBlock + i) * 2;
        pair[0] = kFp4[byte & 15U] * factor;
        pair[1] = kFp4[byte >> 4U] * factor;
      }
    }
  });
  return out;
}

at::Tensor decode_blocks(const at::Tensor& values, const at::Tensor& factors, std::int64_t block_rows,
                         std::int64_t block_columns) {
  MOESCOPE_ASSERT(values.dim() == 2 && factors.dim() == 2);
  const at::Tensor by_row = factors.to(at::kFloat).repeat_interleave(block_rows, 0).narrow(0, 0, values.size(0));
  const at::Tensor by_element = by_row.repeat_interleave(block_columns, 1).narrow(1, 0, values.size(1));
  return values.to(at::kFloat) * by_element;
}

}  // namespace moescope::model
