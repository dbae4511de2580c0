#include "moescope/engine/layer_source.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

#include "moescope/machine/device.h"

namespace moescope::engine {
namespace {

// Reads one byte a page, so that a mapped tensor is in memory before arithmetic waits for it.
void touch(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_cpu()) return;
  constexpr std::size_t kPageBytes = 4096;
  const auto* bytes = static_cast<const volatile char*>(tensor.const_data_ptr());
  for (std::size_t i = 0; i < tensor.nbytes(); i += kPageBytes) static_cast<void>(bytes[i]);
}

}  // namespace

LayerSource::LayerSource(const model::Checkpoint& checkpoint, at::ScalarType dtype, at::Device device, bool keep_layers)
    : checkpoint_(checkpoint),
      dtype_(dtype),
      device_(device),
      keep_layers_(keep_layers),
      layers_(static_cast<std::size_t>(checkpoint.config().n_layers)) {
  if (!device.is_cpu()) copies_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

LayerSource::~LayerSource() {
  if (reading_.valid()) reading_.wait();
}

bool LayerSource::mapped() const { return device_.is_cpu() && dtype_ == checkpoint_.stored_dtype(); }

model::LayerWeights LayerSource::load(std::int64_t layer_idx) const {
  checkpoint_.will_need_layer(layer_idx);
  model::LayerWeights weights = checkpoint_.layer(layer_idx, dtype_, at::kCPU);
  if (copies_) upload(weights);
  if (mapped()) {
    for (const at::Tensor& tensor : model::tensors_of(weights)) touch(tensor);
  } else {
    checkpoint_.drop_layer(layer_idx);  // converted or copied: the mapped pages are no longer read
  }
  return weights;
}

// Runs on the reading thread, which waits for its copies: whoever gets the weights may use them on any stream.
void LayerSource::upload(model::LayerWeights& weights) const {
  const c10::StreamGuard guard(*copies_);
  model::for_each_tensor(weights, [&](at::Tensor& tensor) {
    at::Tensor pinned = at::empty(tensor.sizes(), tensor.options().pinned_memory(true));
    pinned.copy_(tensor);
    tensor = pinned.to(device_, /*non_blocking=*/true);  // the allocator keeps `pinned` until it has been read
  });
  copies_->synchronize();
}

const model::LayerWeights& LayerSource::take(std::int64_t layer_idx, std::optional<std::int64_t> next) {
  if (!keep_layers_ && current_ && *current_ != layer_idx) {
    machine::synchronize(
        device_);  // its memory goes back to the stream of copies, which does not wait for the arithmetic
    layers_[static_cast<std::size_t>(*current_)].reset();
    if (mapped()) checkpoint_.drop_layer(*current_);
  }
  if (ahead_) {  // a layer that was read ahead is kept even if another one is asked for
    layers_[static_cast<std::size_t>(*ahead_)] = reading_.get();
    ahead_.reset();
  }
  std::optional<model::LayerWeights>& weights = layers_[static_cast<std::size_t>(layer_idx)];
  if (!weights) weights = load(layer_idx);
  current_ = layer_idx;
  if (next && !layers_[static_cast<std::size_t>(*next)]) {
    ahead_ = next;
    reading_ = std::async(std::launch::async, [this, idx = *next] { return load(idx); });
  }
  return *weights;
}

}  // namespace moescope::engine
