#include "moescope/analysis/probe/neuron_store.h"

#include <algorithm>
#include <fstream>

#include "moescope/base/error.h"

namespace moescope::analysis::probe {

namespace {

// Before each piece of a spill file.
struct PieceHeader {
  std::int64_t expert = 0, n_rows = 0, width = 0;
};

}  // namespace

NeuronStore::NeuronStore(const model::ModelConfig& config, const ProbeCorpus& corpus, std::vector<std::int64_t> layers,
                         at::ScalarType dtype, std::filesystem::path spill_folder, LayerDone layer_done)
    : config_(config),
      corpus_(corpus),
      layers_(std::move(layers)),
      dtype_(dtype),
      spill_folder_(std::move(spill_folder)),
      layer_done_(std::move(layer_done)),
      n_passed_(static_cast<std::size_t>(config.n_layers), 0) {
  MOESCOPE_ASSERT(!layers_.empty());
  for (const std::int64_t layer : layers_) std::filesystem::remove(spill_path(layer));  // of a run that was stopped
}

engine::TapNeeds NeuronStore::needs() const {
  engine::TapNeeds needs;
  needs.experts = needs.shared = true;
  needs.layers = layers_;
  return needs;
}

engine::TapMemory NeuronStore::memory() const {
  std::uint64_t widest = 0;
  for (const std::int64_t layer : layers_) {
    const std::int64_t shared = config_.has_shared(layer) ? config_.d_shared : 0;
    const std::int64_t width = config_.n_experts_per_token(layer) * config_.d_hidden(layer) + shared;
    widest = std::max(widest, static_cast<std::uint64_t>(width));
  }
  const auto element = static_cast<std::uint64_t>(at::elementSize(dtype_));
  const auto n_sampled = static_cast<std::uint64_t>(corpus_.n_sampled);
  // What is kept, and one expert's share in float32 while it is fitted: at most all of a dense layer.
  const std::uint64_t one_expert = n_sampled * widest * 4;
  return {n_sampled * widest * element + one_expert, 0};
}

std::filesystem::path NeuronStore::spill_path(std::int64_t layer) const {
  return spill_folder_ / ("neurons." + std::to_string(layer) + ".bin");
}

void NeuronStore::on_expert(const engine::LayerView& view, const model::ExpertCall& call) {
  enter(view.layer_idx);
  const at::Tensor rows = call.rows.cpu().contiguous();
  const auto* row = rows.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> kept;
  CollectedExpert& expert = experts_.at(static_cast<std::size_t>(call.expert_idx));
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const std::int64_t token = view.batch.token_idx[static_cast<std::size_t>(row[i])];
    const std::int32_t sampled = corpus_.sampled_row[static_cast<std::size_t>(token)];
    if (sampled < 0) continue;
    kept.push_back(i);
    expert.rows.push_back(sampled);
  }
  if (kept.empty()) return;
  const at::Tensor idx = at::tensor(kept, at::kLong).to(call.neurons.device());
  expert.neurons.push_back(call.neurons.index_select(0, idx).cpu().contiguous());
}

void NeuronStore::on_shared(const engine::LayerView& view, const model::SharedCall& call) {
  on_expert(view, engine::call_of_shared(call, config_.n_experts(view.layer_idx)));
}

void NeuronStore::on_layer_end(const engine::LayerView& view) {
  const std::int64_t layer = view.layer_idx;
  if (std::find(layers_.begin(), layers_.end(), layer) == layers_.end()) return;
  enter(layer);
  std::int64_t& n_passed = n_passed_[static_cast<std::size_t>(layer)];
  n_passed += view.batch.n_tokens;
  if (n_passed < static_cast<std::int64_t>(corpus_.tokens.token_ids.size())) return;
  read_spilled(layer);
  layer_done_(layer, experts_);
  experts_.clear();
  current_ = -1;
}

// A layer that is left before all tokens have passed goes on in the next wave.
void NeuronStore::enter(std::int64_t layer) {
  if (current_ == layer) return;
  if (current_ >= 0) spill(current_);
  current_ = layer;
  experts_.assign(static_cast<std::size_t>(config_.n_experts(layer) + (config_.has_shared(layer) ? 1 : 0)), {});
}

void NeuronStore::spill(std::int64_t layer) {
  std::ofstream file(spill_path(layer), std::ios::binary | std::ios::app);
  for (std::size_t e = 0; e < experts_.size(); ++e) {
    CollectedExpert& expert = experts_[e];
    std::size_t first = 0;
    for (const at::Tensor& piece : expert.neurons) {
      const PieceHeader header{static_cast<std::int64_t>(e), piece.size(0), piece.size(1)};
      file.write(reinterpret_cast<const char*>(&header), sizeof header);
      file.write(reinterpret_cast<const char*>(expert.rows.data() + first),
                 static_cast<std::streamsize>(piece.size(0)) * 4);
      file.write(static_cast<const char*>(piece.const_data_ptr()), static_cast<std::streamsize>(piece.nbytes()));
      first += static_cast<std::size_t>(piece.size(0));
    }
    expert = {};
  }
  file.flush();
  if (!file) throw environment_error("{}: cannot be written: is the disk full?", spill_path(layer).string());
  n_spilled_bytes_ += static_cast<std::int64_t>(file.tellp());
}

void NeuronStore::read_spilled(std::int64_t layer) {
  const std::filesystem::path path = spill_path(layer);
  if (!std::filesystem::exists(path)) return;
  std::ifstream file(path, std::ios::binary);
  PieceHeader header;
  while (file.read(reinterpret_cast<char*>(&header), sizeof header)) {
    CollectedExpert& expert = experts_.at(static_cast<std::size_t>(header.expert));
    const std::size_t first = expert.rows.size();
    expert.rows.resize(first + static_cast<std::size_t>(header.n_rows));
    file.read(reinterpret_cast<char*>(expert.rows.data() + first), header.n_rows * 4);
    at::Tensor piece = at::empty({header.n_rows, header.width}, at::TensorOptions(dtype_));
    file.read(static_cast<char*>(piece.mutable_data_ptr()), static_cast<std::streamsize>(piece.nbytes()));
    if (!file) throw environment_error("{}: ends too early", path.string());
    expert.neurons.push_back(std::move(piece));
  }
  file.close();
  std::filesystem::remove(path);
}

}  // namespace moescope::analysis::probe
