// Hands what a layer does to the taps that asked for it, and knows what each of them got.
#pragma once

#include <cstdint>
#include <vector>

#include "moescope/engine/tap.h"
#include "moescope/model/config.h"

namespace moescope::engine {

// Views taps; they must outlive it. Not thread-safe.
class TapSet {
 public:
  // Throws kInput for a tap that asks for a layer that the model does not have.
  TapSet(const std::vector<Tap*>& taps, const model::ModelConfig& config);
  TapSet(const TapSet&) = delete;
  TapSet& operator=(const TapSet&) = delete;

  bool wants_final() const;
  TapMemory memory() const;  // of all taps
  // The observer of a layer for one batch, or null if nobody wants it. Valid until the next call.
  model::LayerObserver* observe(const LayerView& view);
  void layer_end(const LayerView& view);
  void losses(const Batch& batch, const at::Tensor& values);
  // Throws kInput naming a tap that asked for something and never got it.
  void check_all_served() const;

 private:
  struct Entry {
    Tap* tap;
    TapNeeds needs;
    std::vector<bool> wants_layer;                                         // [L]
    std::vector<bool> had_residual, had_routing, had_experts, had_shared;  // [L]
    bool had_final = false;
  };
  class Observer : public model::LayerObserver {
   public:
    explicit Observer(TapSet& taps) : taps_(taps) {}
    void on_residual(const at::Tensor& residual) override;
    void on_routing(const model::Routing& routing) override;
    void on_expert(const model::ExpertCall& call) override;
    void on_shared(const model::SharedCall& call) override;
    const LayerView* view = nullptr;

   private:
    TapSet& taps_;
  };

  std::vector<bool> has_shared_;  // [L]
  std::vector<Entry> entries_;
  Observer observer_{*this};
};

}  // namespace moescope::engine
