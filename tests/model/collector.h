// What a model's observers see in one forward pass, as [N, K, ...] tensors like those of the fixtures.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "moescope/model/language_model.h"

namespace moescope::testing {

// Puts what the taps see into [N, K, ...] tensors as the fixture holds them.
class Collector : public model::LayerObserver {
 public:
  void on_residual(const at::Tensor& x) override { residual = x.clone(); }
  void on_routing(const model::Routing& r) override { routing = r; }
  void on_expert(const model::ExpertCall& call) override {
    const std::int64_t n_slots = routing.expert_ids.numel();
    if (!neurons.defined()) {
      neurons = at::zeros({n_slots, call.neurons.size(1)}, call.neurons.options());
      outputs = at::zeros({n_slots, call.outputs.size(1)}, call.outputs.options());
      weights = at::zeros({n_slots}, call.weights.options());
    }
    neurons.index_copy_(0, call.slots, call.neurons);
    outputs.index_copy_(0, call.slots, call.outputs);
    weights.index_copy_(0, call.slots, call.weights);
    EXPECT_TRUE(call.rows.equal(call.slots.floor_divide(routing.expert_ids.size(1))));
  }

  void on_shared(const model::SharedCall& call) override {
    shared = call;
    shared.neurons = call.neurons.clone();
  }

  model::Routing routing;
  model::SharedCall shared;
  at::Tensor residual, neurons, outputs, weights;
};

struct ModelRun {
  at::Tensor logits;
  std::vector<Collector> layers;
};

inline ModelRun run(const model::LanguageModel& model, const at::Tensor& ids) {
  const c10::NoGradGuard no_grad;
  ModelRun result;
  result.layers.resize(static_cast<std::size_t>(model.config().n_layers));
  const at::Tensor residual =
      model.residual(ids.to(at::kLong), [&](std::int64_t l) { return &result.layers[static_cast<std::size_t>(l)]; });
  result.logits = model.logits(residual);
  return result;
}

}  // namespace moescope::testing
