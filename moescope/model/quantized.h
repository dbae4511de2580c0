// Weights stored in fewer bits than one number needs, as released checkpoints have them, back to plain numbers.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

namespace moescope::model {

// MXFP4 (OCP Microscaling Formats 1.0, section 5; the layout of gpt-oss): blocks of 32 numbers, each number 4 bits
// (sign, two exponent bits, one mantissa bit; the lower half of a byte comes first) times 2^(scale - 127).
// blocks [rows, G, 16] u8, scales [rows, G] u8 -> [rows, G * 32] float32, exact. Both on the CPU.
at::Tensor decode_mxfp4(const at::Tensor& blocks, const at::Tensor& scales);

// 8-bit floats with one factor for each block of a matrix (DeepSeek-V3, arXiv 2412.19437, section 3.3.2).
// values [R, C] of an 8-bit float dtype, factors [ceil(R / block_rows), ceil(C / block_columns)] -> [R, C] float32.
at::Tensor decode_blocks(const at::Tensor& values, const at::Tensor& factors, std::int64_t block_rows,
                         std::int64_t block_columns);

}  // namespace moescope::model
