// The readable implementation: all instances of one architecture as one batch of matrix products in LibTorch, gradients
// by autograd. The same code runs on the CPU and on a GPU; lanes.h is held to it by a test.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "moescope/toy/train.h"

namespace moescope::toy {

// How many instances fit into about a gigabyte of working memory at once, at least 1.
std::int64_t batched_group_size(const Architecture& architecture, const Training& training);

// Throws as machine::parse_device, and kInterrupted. router_drift is left at 0.
std::vector<TrainedInstance> train_batched(const Architecture& architecture, const Training& training,
                                           std::span<const Instance> instances, std::int64_t loss_every,
                                           const std::string& device);

// Gradient of the training loss at the initial values, on the batch of `step`; for tests.
std::vector<Weights> batched_gradient(const Architecture& architecture, const Training& training,
                                      std::span<const Instance> instances, std::int64_t step);

}  // namespace moescope::toy
