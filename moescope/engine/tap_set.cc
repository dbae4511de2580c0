#include "moescope/engine/tap_set.h"

#include "moescope/base/error.h"

namespace moescope::engine {

TapSet::TapSet(const std::vector<Tap*>& taps, const model::ModelConfig& config) {
  const auto n_layers = static_cast<std::size_t>(config.n_layers);
  for (std::int64_t l = 0; l < config.n_layers; ++l) has_shared_.push_back(config.has_shared(l));
  for (Tap* tap : taps) {
    Entry entry{tap, tap->needs(), std::vector<bool>(n_layers, false), {}, {}, {}, {}};
    entry.had_residual = entry.had_routing = entry.had_experts = entry.had_shared = entry.wants_layer;
    if (entry.needs.layers.empty()) entry.wants_layer.assign(n_layers, true);
    for (const std::int64_t layer : entry.needs.layers) {
      if (layer < 0 || layer >= config.n_layers) {
        throw input_error("tap '{}' asks for layer {} of a model with {} layers", tap->name(), layer, config.n_layers);
      }
      entry.wants_layer[static_cast<std::size_t>(layer)] = true;
    }
    entries_.push_back(std::move(entry));
  }
}

bool TapSet::wants_final() const {
  for (const Entry& entry : entries_) {
    if (entry.needs.final) return true;
  }
  return false;
}

TapMemory TapSet::memory() const {
  TapMemory sum;
  for (const Entry& entry : entries_) {
    const TapMemory memory = entry.tap->memory();
    sum.fixed_bytes += memory.fixed_bytes;
    sum.bytes_per_batch_token += memory.bytes_per_batch_token;
  }
  return sum;
}

model::LayerObserver* TapSet::observe(const LayerView& view) {
  observer_.view = &view;
  for (const Entry& entry : entries_) {
    const bool wants = entry.needs.residual || entry.needs.routing || entry.needs.experts || entry.needs.shared;
    if (wants && entry.wants_layer[static_cast<std::size_t>(view.layer_idx)]) return &observer_;
  }
  return nullptr;
}

void TapSet::layer_end(const LayerView& view) {
  for (Entry& entry : entries_) {
    if (entry.wants_layer[static_cast<std::size_t>(view.layer_idx)]) entry.tap->on_layer_end(view);
  }
  observer_.view = nullptr;
}

void TapSet::losses(const Batch& batch, const at::Tensor& values) {
  for (Entry& entry : entries_) {
    if (!entry.needs.final) continue;
    entry.tap->on_final(batch, values);
    entry.had_final = true;
  }
}

void TapSet::Observer::on_residual(const at::Tensor& residual) {
  const auto layer = static_cast<std::size_t>(view->layer_idx);
  for (Entry& entry : taps_.entries_) {
    if (!entry.needs.residual || !entry.wants_layer[layer]) continue;
    entry.tap->on_residual(*view, residual);
    entry.had_residual[layer] = true;
  }
}

void TapSet::Observer::on_routing(const model::Routing& routing) {
  const auto layer = static_cast<std::size_t>(view->layer_idx);
  for (Entry& entry : taps_.entries_) {
    if (!entry.needs.routing || !entry.wants_layer[layer]) continue;
    entry.tap->on_routing(*view, routing);
    entry.had_routing[layer] = true;
  }
}

void TapSet::Observer::on_expert(const model::ExpertCall& call) {
  const auto layer = static_cast<std::size_t>(view->layer_idx);
  for (Entry& entry : taps_.entries_) {
    if (!entry.needs.experts || !entry.wants_layer[layer]) continue;
    entry.tap->on_expert(*view, call);
    entry.had_experts[layer] = true;
  }
}

void TapSet::Observer::on_shared(const model::SharedCall& call) {
  const auto layer = static_cast<std::size_t>(view->layer_idx);
  for (Entry& entry : taps_.entries_) {
    if (!entry.needs.shared || !entry.wants_layer[layer]) continue;
    entry.tap->on_shared(*view, call);
    entry.had_shared[layer] = true;
  }
}

void TapSet::check_all_served() const {
  for (const Entry& entry : entries_) {
    const auto check_layer = [&](std::size_t layer, bool asked, const std::vector<bool>& had, const char* what) {
      if (!asked || had[layer]) return;
      throw input_error("tap '{}' asked for {} of layer {} and never got it", entry.tap->name(), what, layer);
    };
    for (std::size_t l = 0; l < entry.wants_layer.size(); ++l) {
      if (!entry.wants_layer[l]) continue;
      check_layer(l, entry.needs.residual, entry.had_residual, "the residual");
      check_layer(l, entry.needs.routing, entry.had_routing, "the routing");
      check_layer(l, entry.needs.experts, entry.had_experts, "the experts' activations");
      check_layer(l, entry.needs.shared && has_shared_[l], entry.had_shared, "the shared expert's activations");
    }
    if (entry.needs.final && !entry.had_final) {
      throw input_error("tap '{}' asked for losses and never got them", entry.tap->name());
    }
  }
}

}  // namespace moescope::engine
