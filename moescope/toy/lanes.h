// A group of instances side by side, with its memory, and the loop over steps. Sees no vector types.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "moescope/toy/draws.h"
#include "moescope/toy/lanes_view.h"
#include "moescope/toy/train.h"

namespace moescope::toy {

// Up to `width` instances of one architecture in training. Lanes without an instance repeat the last one. Owns the
// memory that view() shows. Not thread-safe; different groups may be trained by different threads.
class LaneGroup {
 public:
  // `instances`: 1 to `width`.
  LaneGroup(const Architecture& architecture, const Training& training, std::span<const Instance> instances,
            std::int64_t width);

  LaneView& view() { return view_; }
  std::int64_t width() const { return width_; }
  // Values of one lane of an array of the view: parameters, or (`gradient` true) their gradient.
  Weights values(std::int64_t lane, bool gradient = false) const;
  float loss(std::int64_t lane) const { return view_.loss[lane]; }
  double router_gradient_norm(std::int64_t lane) const;
  bool parameters_are_finite(std::int64_t lane) const;

 private:
  void set_lane(std::int64_t lane, const Instance& instance);
  void load_parameters(std::int64_t lane, const Weights& weights);
  float* floats(std::int64_t n_vectors);  // zeroed, aligned
  std::uint32_t* words(std::int64_t n_vectors);

  struct Freed {
    void operator()(void* memory) const;
  };
  Architecture architecture_;
  std::int64_t width_;
  std::vector<std::unique_ptr<void, Freed>> memory_;
  LaneView view_;
};

AdamStep adam_step(const Training& training, std::int64_t step);  // `step` from 0

// Trains up to kernels.width instances; results in their order, but for router_drift. Throws kInterrupted.
std::vector<TrainedInstance> train_lanes(const Architecture& architecture, const Training& training,
                                         std::span<const Instance> instances, std::int64_t loss_every,
                                         const LaneKernels& kernels);

}  // namespace moescope::toy
