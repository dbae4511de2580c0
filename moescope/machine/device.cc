#include "moescope/machine/device.h"

#include <ATen/DeviceAccelerator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/version.h>

#include <fstream>
#include <sstream>

#include "moescope/base/error.h"

namespace moescope::machine {
namespace {

// Whether the processor multiplies bfloat16 natively; without it LibTorch's bfloat16 is slower than float32.
bool cpu_multiplies_bfloat16() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == "avx512_bf16" || word == "amx_bf16" || word == "bf16") return true;
    }
    return false;
  }
  return false;
}

std::optional<at::ScalarType> dtype_of(const std::string& word) {
  if (word == "float32") return at::kFloat;
  if (word == "bfloat16") return at::kBFloat16;
  return std::nullopt;
}

}  // namespace

at::Device parse_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  const std::string digits = name.starts_with("cuda:") ? name.substr(5) : name == "cuda" ? "0" : "";
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos) {
    throw usage_error("unknown device '{}': expected cpu, cuda or cuda:INDEX", name);
  }
  const std::size_t n_devices = at::hasCUDA() ? at::getNumGPUs() : 0;
  const auto index = static_cast<std::size_t>(std::stoul(digits));
  if (index >= n_devices) {
    throw environment_error("device '{}' does not exist: this LibTorch sees {} CUDA devices", name, n_devices)
        .hint("cpu is always there");
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

at::ScalarType parse_dtype(const std::string& name) {
  if (const std::optional<at::ScalarType> dtype = dtype_of(name)) return *dtype;
  throw usage_error("unknown dtype '{}': expected float32 or bfloat16", name);
}

at::ScalarType choose_dtype(const std::string& name, at::ScalarType stored, at::Device device) {
  if (const std::optional<at::ScalarType> dtype = dtype_of(name)) return *dtype;
  if (name != "auto") throw usage_error("unknown dtype '{}': expected auto, float32 or bfloat16", name);
  const bool native = device.is_cuda() || cpu_multiplies_bfloat16();
  return stored == at::kBFloat16 && native ? at::kBFloat16 : at::kFloat;
}

const char* dtype_word(at::ScalarType dtype) {
  if (dtype == at::kBFloat16) return "bfloat16";
  return dtype == at::kHalf ? "float16" : "float32";
}

std::optional<std::uint64_t> card_free_bytes(at::Device device) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 13)
  if (!device.is_cpu()) return at::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).first;
#else
  static_cast<void>(device);
#endif
  return std::nullopt;
}

void synchronize(at::Device device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
}

}  // namespace moescope::machine
