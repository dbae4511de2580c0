#include "moescope/toy/lanes.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"

namespace moescope::toy {
namespace {

constexpr std::size_t kAlignment = 64;        // of the widest vectors
constexpr std::int64_t kInterruptEvery = 50;  // steps

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Inputs that are routed before the experts see them. The balance loss needs the whole batch's counts before its
// gradient; else few, so that they stay in the nearest cache.
std::int64_t chunk_of(const Architecture& a, const Training& t) {
  const std::int64_t wanted = t.balance_coef > 0 ? t.batch : std::clamp<std::int64_t>(256 / a.n_features, 4, 64);
  return (std::min(wanted, t.batch) + kLaneTile - 1) / kLaneTile * kLaneTile;
}

// A lane that diverged keeps computing, beside the others, what nobody looks at any more.
void look_for_divergence(const LaneGroup& group, std::int64_t step, std::vector<TrainedInstance>& results) {
  for (std::size_t l = 0; l < results.size(); ++l) {
    const auto lane = static_cast<std::int64_t>(l);
    if (results[l].diverged_step) continue;
    if (group.loss(lane) <= kDivergedLoss && group.parameters_are_finite(lane)) continue;
    results[l].diverged_step = step;
    results[l].trained = group.values(lane);
  }
}

}  // namespace

void LaneGroup::Freed::operator()(void* memory) const { std::free(memory); }

float* LaneGroup::floats(std::int64_t n_vectors) {
  const std::size_t n_bytes = (index(n_vectors * width_) * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  if (n_bytes == 0) return nullptr;
  void* memory = std::aligned_alloc(kAlignment, n_bytes);
  if (memory == nullptr) throw std::bad_alloc();
  memory_.emplace_back(memory);
  std::memset(memory, 0, n_bytes);
  return static_cast<float*>(memory);
}

std::uint32_t* LaneGroup::words(std::int64_t n_vectors) {
  static_assert(sizeof(float) == sizeof(std::uint32_t));
  return reinterpret_cast<std::uint32_t*>(floats(n_vectors));
}

LaneGroup::LaneGroup(const Architecture& a, const Training& t, std::span<const Instance> instances, std::int64_t width)
    : architecture_(a), width_(width) {
  MOESCOPE_ASSERT(!instances.empty() && instances.size() <= index(width));
  const InputLayout layout = input_layout(a);
  const bool balanced = t.balance_coef > 0;
  view_.n = a.n_features;
  view_.m = a.n_dims;
  view_.n_experts = a.n_experts;
  view_.n_active = a.n_active;
  view_.n_top_activations = a.n_top_activations;
  view_.batch = t.batch;
  view_.chunk = chunk_of(a, t);
  view_.is_hash = a.gate == GateKind::kHash;
  view_.is_switch = a.gate == GateKind::kSwitch;
  view_.is_frozen = a.gate == GateKind::kFrozen;
  view_.random_ties = a.ties == TieRule::kRandom;
  view_.exclude_zero = a.ties == TieRule::kExcludeZero && a.n_active < a.n_experts;
  view_.needs_softmax = !view_.is_hash && (balanced || view_.is_switch || a.n_active > 1);
  view_.gate_gradient = view_.is_switch || (a.gate == GateKind::kRenormalized && a.n_active > 1);
  view_.balance_coef = static_cast<float>(t.balance_coef);
  view_.loss_scale = 1.0F / static_cast<float>(t.loss == LossKind::kSum ? t.batch : t.batch * a.n_features);
  view_.stride = layout.stride;
  view_.n_groups = layout.n_groups;
  view_.group_size = layout.group_size;
  view_.copy_begin = layout.copy_begin;
  view_.group_begin = layout.group_begin;
  view_.tie_begin = layout.tie_begin;
  view_.copy_share = layout.copy_share;
  view_.stream = static_cast<std::uint32_t>(Stream::kTraining);
  view_.n_parameters = n_parameters(a);
  view_.n_learned = view_.n_parameters - (view_.is_hash || view_.is_frozen ? a.n_experts * a.n_features : 0);
  for (float** array : {&view_.parameters, &view_.gradient, &view_.first_moment, &view_.second_moment}) {
    *array = floats(view_.n_parameters);
  }
  view_.importance = floats(a.n_features);
  view_.density = floats(2);
  view_.keys = words(2 + a.n_features + a.n_experts);
  view_.words = words(4 * layout.stride);
  view_.x = floats(view_.chunk * a.n_features);
  for (float** array : {&view_.gate, &view_.chosen, &view_.p}) *array = floats(view_.chunk * a.n_experts);
  view_.hidden = floats(kLaneTile * a.n_experts * a.n_dims);
  view_.kept = floats(a.n_top_activations > 0 ? kLaneTile * a.n_experts * a.n_dims : 0);
  view_.hidden_gradient = floats(kLaneTile * a.n_dims);
  view_.y = floats(kLaneTile * a.n_experts * a.n_features);
  view_.x_gradient = floats(kLaneTile * a.n_features);
  view_.z_gradient = floats(kLaneTile * a.n_features);
  view_.scores = floats(a.n_experts);
  view_.counts = floats(a.n_experts + 1);
  view_.p_sums = floats(a.n_experts);
  view_.loss = floats(1);
  for (std::int64_t l = 0; l < width; ++l) set_lane(l, instances[std::min(index(l), instances.size() - 1)]);
}

void LaneGroup::load_parameters(std::int64_t lane, const Weights& weights) {
  float* parameter = view_.parameters + lane;
  for (const std::vector<float>* values : {&weights.w, &weights.b, &weights.gate}) {
    for (const float value : *values) {
      *parameter = value;
      parameter += width_;
    }
  }
}

void LaneGroup::set_lane(std::int64_t lane, const Instance& instance) {
  const std::int64_t n = view_.n;
  load_parameters(lane, initial_weights(architecture_, instance.seed));
  for (std::int64_t i = 0; i < n; ++i) view_.importance[i * width_ + lane] = instance.importance[index(i)];
  view_.density[lane] = static_cast<float>(instance.density);
  view_.density[width_ + lane] = 1.0F / static_cast<float>(instance.density);
  view_.keys[lane] = static_cast<std::uint32_t>(instance.seed);
  view_.keys[width_ + lane] = static_cast<std::uint32_t>(instance.seed >> 32);
  if (!view_.is_hash) return;
  const HashKeys keys = hash_keys(architecture_, instance.seed);
  for (std::int64_t i = 0; i < n; ++i) view_.keys[(2 + i) * width_ + lane] = keys.features[index(i)];
  for (std::int64_t e = 0; e < view_.n_experts; ++e) {
    view_.keys[(2 + n + e) * width_ + lane] = keys.experts[index(e)];
  }
}

Weights LaneGroup::values(std::int64_t lane, bool gradient) const {
  const float* data = (gradient ? view_.gradient : view_.parameters) + lane;
  const auto take = [&](std::int64_t size) {
    std::vector<float> values;
    values.reserve(index(size));
    for (std::int64_t q = 0; q < size; ++q, data += width_) values.push_back(*data);
    return values;
  };
  Weights weights;
  weights.w = take(view_.n_experts * view_.n * view_.m);
  weights.b = take(view_.n_experts * view_.n);
  weights.gate = take(view_.n_experts * view_.n);
  return weights;
}

double LaneGroup::router_gradient_norm(std::int64_t lane) const {
  double sum = 0;
  for (std::int64_t q = view_.n_experts * view_.n * (view_.m + 1); q < view_.n_parameters; ++q) {
    const auto value = static_cast<double>(view_.gradient[q * width_ + lane]);
    sum += value * value;
  }
  return std::sqrt(sum);
}

bool LaneGroup::parameters_are_finite(std::int64_t lane) const {
  float sum = 0;  // of absolute values: not finite as soon as one is not
  for (std::int64_t q = 0; q < view_.n_parameters; ++q) sum += std::abs(view_.parameters[q * width_ + lane]);
  return std::isfinite(sum);
}

AdamStep adam_step(const Training& t, std::int64_t step) {
  const auto n_steps = static_cast<double>(step + 1);
  AdamStep adam;
  adam.beta1 = static_cast<float>(t.beta1);
  adam.beta2 = static_cast<float>(t.beta2);
  adam.eps = static_cast<float>(t.eps);
  adam.decay = static_cast<float>(1 - t.lr * t.weight_decay);
  adam.rate = static_cast<float>(t.lr / (1 - std::pow(t.beta1, n_steps)));
  adam.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(t.beta2, n_steps)));
  return adam;
}

std::vector<TrainedInstance> train_lanes(const Architecture& architecture, const Training& training,
                                         std::span<const Instance> instances, std::int64_t loss_every,
                                         const LaneKernels& kernels) {
  LaneGroup group(architecture, training, instances, kernels.width);
  std::vector<TrainedInstance> results(instances.size());
  for (std::size_t l = 0; l < results.size(); ++l) results[l].initial = group.values(static_cast<std::int64_t>(l));
  for (std::int64_t step = 0; step < training.n_steps; ++step) {
    kernels.step(group.view(), static_cast<std::uint32_t>(step));
    const bool last = step + 1 == training.n_steps;
    for (std::size_t l = 0; l < results.size(); ++l) {
      const auto lane = static_cast<std::int64_t>(l);
      TrainedInstance& result = results[l];
      if (result.diverged_step) continue;
      result.last_batch_loss = group.loss(lane);
      result.router_gradient_norm += group.router_gradient_norm(lane) / static_cast<double>(training.n_steps);
      if (last || step % loss_every == 0) result.loss_curve.push_back({step, result.last_batch_loss});
    }
    kernels.update(group.view(), adam_step(training, step));
    look_for_divergence(group, step, results);
    if (step % kInterruptEvery == 0) throw_if_interrupted("finished groups of instances are saved");
  }
  for (std::size_t l = 0; l < results.size(); ++l) {
    if (!results[l].diverged_step) results[l].trained = group.values(static_cast<std::int64_t>(l));
  }
  return results;
}

}  // namespace moescope::toy
