// What a kernel of lanes_kernel.h works on: a group of instances of one architecture, side by side in the lanes of
// vectors. Every array is [.., width] of the kernel that works on it: a matrix [n, m] of `width` instances is n m
// vectors.
#pragma once

#include <cstdint>

namespace moescope::toy {

inline constexpr std::int64_t kLaneTile = 4;  // inputs that pass the experts together; chunks are multiples of it

// A view; owns nothing. Arrays are aligned to their vectors.
struct LaneView {
  std::int64_t n = 0, m = 0, n_experts = 0, n_active = 0, n_top_activations = 0;
  std::int64_t batch = 0, chunk = 0;
  bool is_hash = false, is_switch = false, is_frozen = false, random_ties = false;
  bool exclude_zero = false;   // TieRule::kExcludeZero where it has an effect
  bool needs_softmax = false;  // p, or more than one weight, is used
  bool gate_gradient = false;  // reconstruction reaches G
  float balance_coef = 0;
  float loss_scale = 0;  // 1 / batch, or 1 / (batch n)
  std::int64_t stride = 0, n_groups = 0, group_size = 0, copy_begin = 0, group_begin = 0, tie_begin = 0;  // InputLayout
  float copy_share = 0;
  std::uint32_t stream = 0;  // Stream::kTraining

  std::int64_t n_parameters = 0;  // W, b, G one after the other
  std::int64_t n_learned = 0;     // of them, that AdamW changes: without G where it is frozen or not used
  float *parameters = nullptr, *gradient = nullptr, *first_moment = nullptr,
        *second_moment = nullptr;                          // [n_parameters]
  float* importance = nullptr;                             // [n]
  float* density = nullptr;                                // [2]: density, 1 / density
  std::uint32_t* keys = nullptr;                           // [2 + n + E]: Philox key, keys of the hash router
  std::uint32_t* words = nullptr;                          // [4 stride]: draws of a tile
  float* x = nullptr;                                      // [chunk, n]
  float *gate = nullptr, *chosen = nullptr, *p = nullptr;  // [chunk, E]: g_e; 1 where e in K; softmax
  float *hidden = nullptr, *kept = nullptr;                // [E, 4, m]: h; 1 where n_top_activations keeps it
  float* hidden_gradient = nullptr;                        // [4, m]
  float* y = nullptr;                                      // [4, E, n]
  float *x_gradient = nullptr, *z_gradient = nullptr;      // [4, n]: dL/dx_hat; dL/dz
  float* scores = nullptr;                                 // [E]
  float* counts = nullptr;                                 // [E + 1]: inputs with e in K; inputs that count
  float* p_sums = nullptr;                                 // [E], with a balance loss
  float* loss = nullptr;                                   // [1] of the step, balance term included
};

struct AdamStep {
  float beta1 = 0, beta2 = 0, eps = 0;
  float decay = 0;       // 1 - lr * weight_decay
  float rate = 0;        // lr / (1 - beta1^t)
  float root_scale = 0;  // 1 / sqrt(1 - beta2^t)
};

// The kernels of one machine.
struct LaneKernels {
  std::int64_t width = 0;  // instances side by side; 16 with AVX-512
  const char* name = "";
  // Gradient and loss of the batch of step `step`, with sizes known to the compiler for some shapes.
  void (*step)(LaneView& view, std::uint32_t step) = nullptr;
  void (*step_of_any_shape)(LaneView& view, std::uint32_t step) = nullptr;
  void (*update)(LaneView& view, const AdamStep& adam) = nullptr;
};

// The fastest that this machine can run (lanes_kernels.cc).
LaneKernels lane_kernels();

}  // namespace moescope::toy
