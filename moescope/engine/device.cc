#include "moescope/engine/device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/version.h>

#include <fstream>
#include <sstream>

#include "moescope/base/error.h"
#include "moescope/engine/memory.h"

namespace moescope::engine {
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

}  // namespace

at::Device parse_device(const std::string& name) {
  if (name == "cpu") return at::Device(at::kCPU);
  std::string digits = name.starts_with("cuda:") ? name.substr(5) : name == "cuda" ? "0" : "";
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos) {
    throw usage_error("unknown device '{}': expected cpu, cuda or cuda:INDEX", name);
  }
  const std::size_t n_devices = at::hasCUDA() ? at::getNumGPUs() : 0;
  const auto index = static_cast<std::size_t>(std::stoul(digits));
  if (index >= n_devices) {
    throw environment_error("device '{}' does not exist: this LibTorch sees {} CUDA devices", name, n_devices)
        .hint("--device cpu runs everywhere");
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

at::ScalarType choose_dtype(const std::string& name, at::ScalarType stored, at::Device device) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name != "auto") throw usage_error("unknown dtype '{}': expected auto, float32 or bfloat16", name);
  const bool native = device.is_cuda() || cpu_multiplies_bfloat16();
  return stored == at::kBFloat16 && native ? at::kBFloat16 : at::kFloat;
}

const char* dtype_word(at::ScalarType dtype) {
  if (dtype == at::kBFloat16) return "bfloat16";
  return dtype == at::kHalf ? "float16" : "float32";
}

std::optional<std::uint64_t> device_free_bytes(at::Device device) {
  if (device.is_cpu()) return free_memory_bytes();
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 13)
  return at::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).first;
#else
  return std::nullopt;
#endif
}

void set_threads(int n_threads) {
  if (n_threads > 0) at::set_num_threads(n_threads);
}

void synchronize(at::Device device) {
  if (!device.is_cpu()) at::accelerator::synchronizeDevice(device.index());
}

}  // namespace moescope::engine
