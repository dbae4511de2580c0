// The one place that knows the words for devices and dtypes, and what a device can do.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <string>

namespace moescope::machine {

// "cpu", "cuda" (the first card) or "cuda:INDEX". Throws kUsage for another word, kEnvironment if there is no such
// card.
at::Device parse_device(const std::string& name);

// "float32" or "bfloat16". Throws kUsage for another word.
at::ScalarType parse_dtype(const std::string& name);

// The same, and "auto": the checkpoint's dtype where the device computes it natively; float16 checkpoints, and bfloat16
// ones on processors without bfloat16 arithmetic, run in float32.
at::ScalarType choose_dtype(const std::string& name, at::ScalarType stored, at::Device device);

const char* dtype_word(at::ScalarType dtype);  // "float32", "bfloat16", "float16"

// Free memory of a card, where this LibTorch can tell.
std::optional<std::uint64_t> card_free_bytes(at::Device device);

// Waits for the device to finish (timings).
void synchronize(at::Device device);

}  // namespace moescope::machine
