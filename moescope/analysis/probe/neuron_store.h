// The tap of `moescope probe`: keeps the neurons of sampled tokens of the layer that is running, and hands the layer
// over when its last token has passed. A shared expert comes behind the experts of its layer that a router chooses.
// Where the run takes several waves, what a layer gave so far waits in a file.
//
// Memory: one layer's sampled neurons (n_sampled x experts a token x F) in the model's dtype, never all layers'.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "moescope/analysis/probe/samples.h"
#include "moescope/engine/tap.h"
#include "moescope/model/config.h"

namespace moescope::analysis::probe {

// One expert's share of a layer. Owns its tensors.
struct CollectedExpert {
  std::vector<std::int32_t> rows;   // [M], of ProbeCorpus::sampled_row
  std::vector<at::Tensor> neurons;  // pieces [m, F] on the CPU, in the model's dtype, in the order of `rows`
};

class NeuronStore : public engine::Tap {
 public:
  using LayerDone = std::function<void(std::int64_t layer, std::vector<CollectedExpert>& experts)>;

  // `layers`: those still to be probed. `spill_folder` exists. `layer_done` is called once for each of them; what it
  // throws ends the run. Views config and corpus.
  NeuronStore(const model::ModelConfig& config, const ProbeCorpus& corpus, std::vector<std::int64_t> layers,
              at::ScalarType dtype, std::filesystem::path spill_folder, LayerDone layer_done);

  std::string name() const override { return "probe"; }
  engine::TapNeeds needs() const override;
  engine::TapMemory memory() const override;
  void on_expert(const engine::LayerView& view, const model::ExpertCall& call) override;
  void on_shared(const engine::LayerView& view, const model::SharedCall& call) override;
  void on_layer_end(const engine::LayerView& view) override;

  std::int64_t n_spilled_bytes() const { return n_spilled_bytes_; }

 private:
  void enter(std::int64_t layer);
  std::filesystem::path spill_path(std::int64_t layer) const;
  void spill(std::int64_t layer);
  void read_spilled(std::int64_t layer);

  const model::ModelConfig& config_;
  const ProbeCorpus& corpus_;
  std::vector<std::int64_t> layers_;
  at::ScalarType dtype_;
  std::filesystem::path spill_folder_;
  LayerDone layer_done_;
  std::int64_t current_ = -1;             // layer whose neurons are in experts_
  std::vector<CollectedExpert> experts_;  // of the current layer
  std::vector<std::int64_t> n_passed_;    // tokens, by layer
  std::int64_t n_spilled_bytes_ = 0;
};

}  // namespace moescope::analysis::probe
