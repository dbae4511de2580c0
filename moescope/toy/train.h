// Trains instances of one architecture. Two implementations of one definition, tied by a test:
//   batched: LibTorch, all instances as one batch of matrix products, gradients by autograd; any device.
//   lanes:   CPU, instances side by side in the lanes of vector registers (16 with AVX-512), gradients by hand.
// Both draw the same initial values and inputs (draws.h), so they agree up to rounding, and an instance's result does
// not depend on which others are trained with it, on their order, or on threads (for lanes bit by bit).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "moescope/machine/options.h"
#include "moescope/toy/instance.h"

namespace moescope::toy {

enum class Implementation { kLanes, kBatched };
constexpr auto words_for(Implementation) {
  return std::to_array<Word<Implementation>>(
      {{Implementation::kLanes, "lanes"}, {Implementation::kBatched, "batched"}});
}

struct TrainOptions {
  std::optional<Implementation> implementation;  // without: lanes on the CPU, batched elsewhere
  machine::DeviceOptions machine;                // a card for batched only
  std::int64_t loss_every = 100;                 // steps between points of the loss curve; a sweep says it

  Implementation chosen() const;
  void describe(OptionList& list);
};

// Throws kUsage for options that are none together or out of range, kEnvironment for a device that is not there.
void check(const TrainOptions& options);

// How many instances are trained together: the width of the machine's vectors, or what fits into memory.
std::size_t group_size(const Architecture& architecture, const Training& training, const TrainOptions& options);

// Throws kInput as check() does, kInterrupted if a signal arrived (base/interrupt.h).
std::vector<TrainedInstance> train(const Architecture& architecture, const Training& training,
                                   std::span<const Instance> instances, const TrainOptions& options);

// Called from worker threads, one call at a time, with the index of the first of a finished group of instances and its
// results.
using GroupDone = std::function<void(std::size_t first, std::span<const TrainedInstance> group)>;
// The same, handing results out as groups of the kernel's width (lanes) or of all (batched) finish.
void train(const Architecture& architecture, const Training& training, std::span<const Instance> instances,
           const TrainOptions& options, const GroupDone& done);

}  // namespace moescope::toy
