// Where and in which precision a model runs: `--device cpu|cuda[:i]`, `--dtype auto|float32|bfloat16`.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>

namespace moescope::engine {

// Throws kUsage for another word, kEnvironment if there is no such GPU.
at::Device parse_device(const std::string& name);

// auto: the checkpoint's dtype where the device computes it natively; float16 checkpoints and bfloat16 ones on
// processors without bfloat16 arithmetic run in float32. Throws kUsage for another word.
at::ScalarType choose_dtype(const std::string& name, at::ScalarType stored, at::Device device);

const char* dtype_word(at::ScalarType dtype);  // "float32", "bfloat16"

// Free memory of the device: of the machine for the CPU, of the card for CUDA where this LibTorch can tell.
std::optional<std::uint64_t> device_free_bytes(at::Device device);

// Threads of LibTorch's CPU work; 0 leaves all processors.
void set_threads(int n_threads);

// Waits for the device to finish (timings).
void synchronize(at::Device device);

}  // namespace moescope::engine
