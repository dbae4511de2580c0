#include "moescope/analysis/superpose/class_means.h"

#include "moescope/base/random.h"

namespace moescope::analysis::superpose {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// (row of the call, class) pairs to be summed.
struct Pairs {
  std::vector<std::int64_t> rows, classes;

  void add(std::int64_t row, std::int64_t token, const TokenClasses& classes_of, std::vector<std::int64_t>& n) {
    for (std::int64_t at = classes_of.begin[index(token)]; at < classes_of.begin[index(token) + 1]; ++at) {
      rows.push_back(row);
      classes.push_back(classes_of.classes[index(at)]);
      ++n[index(classes.back())];
    }
  }
  void sum(const at::Tensor& neurons, at::Tensor& into) const {
    if (rows.empty()) return;
    into.index_add_(0, at::tensor(classes, at::kLong), neurons.index_select(0, at::tensor(rows, at::kLong)));
  }
};

}  // namespace

ClassMeans::ClassMeans(const model::ModelConfig& config, const TokenClasses& classes, std::uint64_t seed)
    : config_(config), classes_(classes), seed_(seed), sums_(index(config.n_layers)) {
  const auto n_classes = static_cast<std::int64_t>(classes.names.size());
  for (std::int64_t layer = 0; layer < config.n_layers; ++layer) {
    for (std::int64_t expert = 0; expert < config.n_experts(layer); ++expert) {
      ClassSums sums;
      sums.n.assign(index(n_classes), 0);
      sums.n_rotated = sums.n_next = sums.n;
      sums.sum = at::zeros({config.d_hidden(layer)}, at::kDouble);
      sums.by_class = at::zeros({n_classes, config.d_hidden(layer)}, at::kDouble);
      sums.by_rotated = at::zeros_like(sums.by_class);
      sums_[index(layer)].push_back(std::move(sums));
    }
  }
}

engine::TapNeeds ClassMeans::needs() const {
  engine::TapNeeds needs;
  needs.experts = true;
  return needs;
}

engine::TapMemory ClassMeans::memory() const {
  std::uint64_t bytes = 0;
  for (const std::vector<ClassSums>& layer : sums_) {
    for (const ClassSums& sums : layer) bytes += 2 * sums.by_class.nbytes() + sums.sum.nbytes();
  }
  // float64 copies of one expert's neurons, at most those of every token of a batch, for each class it is in.
  std::int64_t widest = 0;
  for (std::int64_t layer = 0; layer < config_.n_layers; ++layer) {
    widest = std::max(widest, config_.d_hidden(layer));
  }
  return {bytes, static_cast<std::uint64_t>(widest) * 8 * 3};
}

void ClassMeans::on_expert(const engine::LayerView& view, const model::ExpertCall& call) {
  ClassSums& sums = sums_.at(index(view.layer_idx)).at(index(call.expert_idx));
  const at::Tensor neurons = call.neurons.to(at::kCPU, at::kDouble);
  const at::Tensor rows = call.rows.cpu().contiguous();
  const auto* row = rows.const_data_ptr<std::int64_t>();
  const std::int64_t n_rows = rows.size(0);
  const engine::Batch& batch = view.batch;
  const auto token = [&](std::int64_t i) { return batch.token_idx[index(row[i])]; };
  const auto sequence = [&](std::int64_t i) { return token(i) - batch.context_position[index(row[i])]; };
  Pairs pairs, rotated;
  for (std::int64_t begin = 0, end = 0; begin < n_rows; begin = end) {
    while (end < n_rows && sequence(end) == sequence(begin)) ++end;
    const std::int64_t n = end - begin;
    const std::uint64_t word =
        hash64(seed_, static_cast<std::uint64_t>(view.layer_idx), static_cast<std::uint64_t>(call.expert_idx),
               static_cast<std::uint64_t>(sequence(begin)));
    const std::int64_t by = n > 1 ? 1 + static_cast<std::int64_t>(word % static_cast<std::uint64_t>(n - 1)) : 0;
    n_alone_ += n == 1 ? 1 : 0;
    for (std::int64_t i = begin; i < end; ++i) {
      pairs.add(i, token(i), classes_, sums.n);
      if (n > 1) rotated.add(i, token(begin + (i - begin + by) % n), classes_, sums.n_rotated);
      if (classes_.of_token_id.empty()) continue;
      const std::int32_t next = batch.next_token_id[index(row[i])];
      const std::int32_t next_class = next < 0 ? -1 : classes_.of_token_id[static_cast<std::size_t>(next)];
      if (next_class >= 0) ++sums.n_next[static_cast<std::size_t>(next_class)];
    }
  }
  sums.n_tokens += n_rows;
  sums.sum += neurons.sum(0);
  pairs.sum(neurons, sums.by_class);
  rotated.sum(neurons, sums.by_rotated);
}

const ClassSums& ClassMeans::of(std::int64_t layer, std::int64_t expert) const {
  return sums_.at(index(layer)).at(index(expert));
}

ClassRows class_rows(const ClassSums& sums, std::int64_t least, bool rotated) {
  const std::vector<std::int64_t>& n = rotated ? sums.n_rotated : sums.n;
  ClassRows result;
  std::vector<std::int64_t> kept;
  std::vector<double> counts;
  for (std::size_t c = 0; c < n.size(); ++c) {
    if (n[c] < least || n[c] == 0) continue;
    kept.push_back(static_cast<std::int64_t>(c));
    counts.push_back(static_cast<double>(n[c]));
    result.class_idx.push_back(static_cast<std::int32_t>(c));
  }
  if (kept.empty()) {
    result.rows = at::zeros({0, sums.sum.size(0)}, at::kDouble);
    return result;
  }
  const at::Tensor of_class = (rotated ? sums.by_rotated : sums.by_class).index_select(0, at::tensor(kept, at::kLong));
  const at::Tensor mean = sums.sum / static_cast<double>(sums.n_tokens);
  result.rows = of_class / at::tensor(counts, at::kDouble).unsqueeze(1) - mean;
  return result;
}

}  // namespace moescope::analysis::superpose
