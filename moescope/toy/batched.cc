#include "moescope/toy/batched.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/machine/device.h"
#include "moescope/toy/draws.h"

namespace moescope::toy {
namespace {

constexpr std::int64_t kWordMask = 0xFFFFFFFF;
constexpr std::int64_t kInterruptEvery = 50;  // steps
constexpr std::int64_t kWorkingBytes = std::int64_t{1} << 30;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Instances' numbers, one row each, as a tensor [I, size].
template <typename Number, typename Get>
at::Tensor rows(std::span<const Instance> instances, std::int64_t size, at::ScalarType type, const Get& get) {
  const auto n = static_cast<std::int64_t>(instances.size());
  at::Tensor tensor = at::empty({n, size}, at::TensorOptions().dtype(type));
  for (std::int64_t i = 0; i < n; ++i) {
    const std::vector<Number> row = get(instances[index(i)]);
    MOESCOPE_ASSERT(static_cast<std::int64_t>(row.size()) == size);
    std::copy(row.begin(), row.end(), tensor.data_ptr<Number>() + i * size);
  }
  return tensor;
}

// Upper and lower 32 bits of x * multiplier; int64 holds the product's 64 bits, whatever its sign.
std::pair<at::Tensor, at::Tensor> wide_product(const at::Tensor& x, std::uint32_t multiplier) {
  const at::Tensor product = x * static_cast<std::int64_t>(multiplier);
  return {product.bitwise_right_shift(32).bitwise_and(kWordMask), product.bitwise_and(kWordMask)};
}

// philox() of counters [1, N] (first word; the others are numbers) under keys [I, 1] -> [I, N, 4] int64.
at::Tensor philox_words(const at::Tensor& counters, std::int64_t step, Stream stream, at::Tensor key0,
                        at::Tensor key1) {
  at::Tensor c0 = counters.expand({key0.size(0), counters.size(1)});
  at::Tensor c1 = at::full_like(c0, step), c2 = at::full_like(c0, static_cast<std::int64_t>(stream));
  at::Tensor c3 = at::zeros_like(c0);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const auto [high0, low0] = wide_product(c0, kPhiloxMultiplier0);
    const auto [high1, low1] = wide_product(c2, kPhiloxMultiplier1);
    c0 = high1.bitwise_xor(c1).bitwise_xor(key0);
    c2 = high0.bitwise_xor(c3).bitwise_xor(key1);
    c1 = low1;
    c3 = low0;
    key0 = (key0 + static_cast<std::int64_t>(kPhiloxWeyl0)).bitwise_and(kWordMask);
    key1 = (key1 + static_cast<std::int64_t>(kPhiloxWeyl1)).bitwise_and(kWordMask);
  }
  return at::stack({c0, c1, c2, c3}, -1);
}

at::Tensor uniform_of_words(const at::Tensor& words) {
  return words.bitwise_right_shift(8).to(at::kFloat) * 0x1.0p-24F;
}

// hash_mix() of words [..] int64 -> float.
at::Tensor hash_scores(at::Tensor h) {
  h = h.bitwise_xor(h.bitwise_right_shift(16)).mul(0x85EBCA6BLL).bitwise_and(kWordMask);
  h = h.bitwise_xor(h.bitwise_right_shift(13)).mul(0xC2B2AE35LL).bitwise_and(kWordMask);
  return h.bitwise_xor(h.bitwise_right_shift(16)).bitwise_right_shift(8).to(at::kFloat);
}

class BatchedTrainer {
 public:
  BatchedTrainer(const Architecture& architecture, const Training& training, std::span<const Instance> instances,
                 const at::Device& device)
      : a_(architecture),
        t_(training),
        layout_(input_layout(architecture)),
        n_instances_(static_cast<std::int64_t>(instances.size())) {
    const auto on_device = [&](const at::Tensor& tensor) { return tensor.to(device); };
    std::vector<Weights> initial;
    for (const Instance& instance : instances) initial.push_back(initial_weights(a_, instance.seed));
    const auto stacked = [&](std::vector<float> Weights::*part, at::IntArrayRef shape) {
      std::vector<at::Tensor> parts;
      for (Weights& weights : initial) parts.push_back(at::tensor(weights.*part));
      std::vector<std::int64_t> sizes = {n_instances_};
      sizes.insert(sizes.end(), shape.begin(), shape.end());
      return on_device(at::stack(parts).reshape(sizes));
    };
    values_ = {stacked(&Weights::w, {a_.n_experts, a_.n_features, a_.n_dims}),
               stacked(&Weights::b, {a_.n_experts, a_.n_features}),
               stacked(&Weights::gate, {a_.n_experts, a_.n_features})};
    for (const at::Tensor& value : values_) {
      first_.push_back(at::zeros_like(value));
      second_.push_back(at::zeros_like(value));
    }
    importance_ = on_device(rows<float>(instances, a_.n_features, at::kFloat, [](const Instance& i) {
                    return i.importance;
                  })).unsqueeze(1);
    density_ = on_device(rows<float>(instances, 1, at::kFloat, [](const Instance& i) {
                 return std::vector<float>{static_cast<float>(i.density)};
               })).unsqueeze(1);
    scale_ = density_.reciprocal();
    const auto word = [&](int shift) {
      return on_device(rows<std::int64_t>(instances, 1, at::kLong, [&](const Instance& i) {
        return std::vector<std::int64_t>{static_cast<std::int64_t>((i.seed >> shift) & 0xFFFFFFFFULL)};
      }));
    };
    key0_ = word(0);
    key1_ = word(32);
    if (a_.gate == GateKind::kHash) {
      hash_keys_ =
          on_device(rows<std::int64_t>(instances, a_.n_features + a_.n_experts, at::kLong, [&](const Instance& i) {
            const HashKeys keys = hash_keys(a_, i.seed);
            std::vector<std::int64_t> row(keys.features.begin(), keys.features.end());
            row.insert(row.end(), keys.experts.begin(), keys.experts.end());
            return row;
          }));
    }
    counters_ = at::arange((t_.batch * layout_.stride + 3) / 4, at::TensorOptions().dtype(at::kLong).device(device))
                    .unsqueeze(0);
  }

  // Losses [I] with gradients of their sum in values().grad().
  at::Tensor loss_and_gradient(std::int64_t step) {
    for (at::Tensor& value : values_) {
      value = value.detach().requires_grad_(true);
    }
    const c10::AutoGradMode with_gradient(true);
    const at::Tensor loss = losses(step);
    loss.sum().backward();
    return loss.detach();
  }

  // AdamW for the instances where `alive` [I].
  void update(std::int64_t step, const at::Tensor& alive) {
    const c10::NoGradGuard no_grad;
    const double n = static_cast<double>(step + 1);
    const double rate = t_.lr / (1 - std::pow(t_.beta1, n)), root = 1 / std::sqrt(1 - std::pow(t_.beta2, n));
    const bool gate_fixed = a_.gate == GateKind::kFrozen || a_.gate == GateKind::kHash;
    for (std::size_t q = 0; q < (gate_fixed ? 2 : 3); ++q) {
      const at::Tensor old = values_[q].detach();
      at::Tensor gradient = values_[q].grad();
      if (!gradient.defined()) gradient = at::zeros_like(old);
      first_[q] = first_[q] * t_.beta1 + gradient * (1 - t_.beta1);
      second_[q] = second_[q] * t_.beta2 + gradient * gradient * (1 - t_.beta2);
      const at::Tensor next =
          old * (1 - t_.lr * t_.weight_decay) - rate * first_[q] / (second_[q].sqrt() * root + t_.eps);
      std::vector<std::int64_t> shape(index(old.dim()), 1);
      shape[0] = n_instances_;
      values_[q] = at::where(alive.reshape(shape), next, old);
    }
  }

  at::Tensor router_gradient_norm() const {  // [I]
    const at::Tensor gradient = values_[2].grad();
    if (!gradient.defined()) return at::zeros({n_instances_}, values_[2].options().requires_grad(false));
    return gradient.flatten(1).norm(2, 1);
  }

  at::Tensor all_finite() const {  // [I]
    at::Tensor sum = at::zeros({n_instances_}, values_[0].options().requires_grad(false));
    for (const at::Tensor& value : values_) sum = sum + value.detach().flatten(1).abs().sum(1);
    return sum.isfinite();
  }

  std::vector<Weights> weights(bool gradient = false) const {
    std::vector<Weights> result(index(n_instances_));
    const auto take = [&](std::size_t q, std::vector<float> Weights::*part) {
      at::Tensor source = gradient ? values_[q].grad() : values_[q].detach();
      if (!source.defined()) source = at::zeros_like(values_[q].detach());
      const at::Tensor flat = source.flatten(1).cpu().contiguous();
      for (std::int64_t i = 0; i < n_instances_; ++i) {
        const float* row = flat.const_data_ptr<float>() + i * flat.size(1);
        (result[index(i)].*part).assign(row, row + flat.size(1));
      }
    };
    take(0, &Weights::w);
    take(1, &Weights::b);
    take(2, &Weights::gate);
    return result;
  }

 private:
  // Inputs [I, B, n] and tie words [I, B, 1] (undefined without random ties).
  std::pair<at::Tensor, at::Tensor> draw_inputs(std::int64_t step) const {
    const at::Tensor words = philox_words(counters_, step, Stream::kTraining, key0_, key1_)
                                 .reshape({n_instances_, -1})
                                 .narrow(1, 0, t_.batch * layout_.stride)
                                 .reshape({n_instances_, t_.batch, layout_.stride});
    const at::Tensor own = uniform_of_words(words.narrow(2, 0, a_.n_features));
    at::Tensor x = at::where(own < density_, own * scale_, at::zeros_like(own));
    if (layout_.n_groups > 0) {
      const at::Tensor copies =
          uniform_of_words(words.narrow(2, layout_.copy_begin, a_.n_features)) < layout_.copy_share;
      const at::Tensor active = (uniform_of_words(words.narrow(2, layout_.group_begin, layout_.n_groups)) < density_)
                                    .repeat_interleave(layout_.group_size, 2)
                                    .narrow(2, 0, a_.n_features);
      x = at::where(copies, at::where(active, own, at::zeros_like(own)), x);
    }
    return {x, layout_.tie_begin > 0 ? words.narrow(2, layout_.tie_begin, 1) : at::Tensor()};
  }

  // [I, B, E], 1 for the k largest scores.
  at::Tensor choose(const at::Tensor& scores, const at::Tensor& tie_words) const {
    const std::int64_t n_experts = a_.n_experts;
    at::Tensor place = at::arange(n_experts, scores.options().dtype(at::kLong)).expand_as(scores);
    if (a_.ties == TieRule::kRandom) {
      place = (place - (tie_words * n_experts).bitwise_right_shift(32)).remainder(n_experts);
    }
    at::Tensor chosen = at::zeros_like(scores);
    for (std::int64_t round = 0; round < a_.n_active; ++round) {
      const at::Tensor taken = chosen > 0;
      const at::Tensor best = scores.masked_fill(taken, -INFINITY).amax(-1, true);
      const at::Tensor candidate = (scores == best).logical_and(taken.logical_not());
      const at::Tensor winner = at::where(candidate, place, at::full_like(place, n_experts)).argmin(-1, true);
      chosen.scatter_(2, winner, 1.0);
    }
    return chosen;
  }

  // h [I, E, B, m] with only the n_top_activations largest of every row.
  at::Tensor keep_largest(const at::Tensor& h) const {
    if (a_.n_top_activations == 0) return h;
    const at::Tensor order = at::argsort(h.detach().square(), /*stable=*/true, /*dim=*/-1, /*descending=*/true);
    const at::Tensor kept = at::zeros_like(h.detach()).scatter_(-1, order.narrow(-1, 0, a_.n_top_activations), 1.0);
    return h * kept;
  }

  at::Tensor losses(std::int64_t step) const {
    const std::int64_t n = a_.n_features, n_experts = a_.n_experts, batch = t_.batch;
    const auto [x, tie_words] = draw_inputs(step);
    const at::Tensor gate_values = a_.gate == GateKind::kFrozen ? values_[2].detach() : values_[2];
    at::Tensor scores, p;
    if (a_.gate == GateKind::kHash) {
      const at::Tensor feature_keys = hash_keys_.narrow(1, 0, n).unsqueeze(1);
      at::Tensor pattern = at::zeros({n_instances_, batch}, hash_keys_.options());
      for (std::int64_t i = 0; i < n; ++i) {
        const at::Tensor key = feature_keys.select(2, i).expand({n_instances_, batch});
        pattern = at::where(x.select(2, i) > 0, pattern.bitwise_xor(key), pattern);
      }
      scores = hash_scores(pattern.unsqueeze(2).bitwise_xor(hash_keys_.narrow(1, n, n_experts).unsqueeze(1)));
    } else {
      scores = at::bmm(x, gate_values.transpose(1, 2));
      p = at::softmax(scores, -1);
    }
    const bool exclude = a_.ties == TieRule::kExcludeZero && a_.n_active < n_experts;
    const at::Tensor counted = exclude ? (x.sum(2, true) > 0).to(at::kFloat) : at::ones_like(x.narrow(2, 0, 1));
    const at::Tensor chosen = choose(scores.detach(), tie_words) * counted;
    at::Tensor gate = chosen;
    if (a_.gate == GateKind::kHash) {
      gate = chosen / static_cast<double>(a_.n_active);
    } else if (a_.gate == GateKind::kSwitch) {
      gate = p * chosen;
    } else if (a_.n_active > 1) {
      gate = p * chosen;
      gate = gate / (gate.sum(-1, true) + (1 - counted));  // 0 / 1 where nothing is chosen
    }
    const at::Tensor x_hat = reconstruct(x, gate);
    const double scale = 1.0 / static_cast<double>(t_.loss == LossKind::kSum ? batch : batch * n);
    at::Tensor loss = (importance_ * (x_hat - x).square()).sum({1, 2}) * scale;
    if (t_.balance_coef > 0) {
      const at::Tensor n_counted = counted.sum(1).clamp_min(1);
      const at::Tensor share = chosen.sum(1) / n_counted, mean_p = (p * counted).sum(1) / n_counted;
      loss = loss + t_.balance_coef * static_cast<double>(n_experts) * (share * mean_p).sum(1);
    }
    return loss;
  }

  // x_hat [I, B, n] = sum_e g_e ReLU(W_e W_e^T x + b_e)
  at::Tensor reconstruct(const at::Tensor& x, const at::Tensor& gate) const {
    const std::int64_t n = a_.n_features, m = a_.n_dims, n_experts = a_.n_experts, batch = t_.batch;
    const at::Tensor& w = values_[0];
    const at::Tensor side_by_side = w.permute({0, 2, 1, 3}).reshape({n_instances_, n, n_experts * m});
    at::Tensor h = at::bmm(x, side_by_side).reshape({n_instances_, batch, n_experts, m}).permute({0, 2, 1, 3});
    h = keep_largest(h).reshape({n_instances_ * n_experts, batch, m});
    const at::Tensor z = at::bmm(h, w.reshape({n_instances_ * n_experts, n, m}).transpose(1, 2))
                             .reshape({n_instances_, n_experts, batch, n}) +
                         values_[1].unsqueeze(2);
    return (at::relu(z) * gate.permute({0, 2, 1}).unsqueeze(3)).sum(1);
  }

  const Architecture& a_;
  const Training& t_;
  InputLayout layout_;
  std::int64_t n_instances_;
  std::vector<at::Tensor> values_;  // W [I, E, n, m], b [I, E, n], G [I, E, n]
  std::vector<at::Tensor> first_, second_;
  at::Tensor importance_;       // [I, 1, n]
  at::Tensor density_, scale_;  // [I, 1, 1]
  at::Tensor key0_, key1_;      // [I, 1] int64
  at::Tensor hash_keys_;        // [I, n + E] int64
  at::Tensor counters_;         // [1, blocks] int64
};

}  // namespace

std::int64_t batched_group_size(const Architecture& a, const Training& t) {
  const std::int64_t per_input = 4 * 8 * a.n_experts * (a.n_features + a.n_dims) + 16 * 8 * input_layout(a).stride;
  return std::clamp<std::int64_t>(kWorkingBytes / (t.batch * per_input), 1, 8192);
}

std::vector<TrainedInstance> train_batched(const Architecture& architecture, const Training& training,
                                           std::span<const Instance> instances, std::int64_t loss_every,
                                           const std::string& device_name) {
  const at::Device device = machine::parse_device(device_name);
  BatchedTrainer trainer(architecture, training, instances, device);
  const auto n = static_cast<std::int64_t>(instances.size());
  const auto reals = at::TensorOptions().dtype(at::kFloat).device(device);
  at::Tensor alive = at::ones({n}, reals.dtype(at::kBool));
  at::Tensor diverged_step = at::full({n}, -1, reals.dtype(at::kLong));
  at::Tensor last_loss = at::zeros({n}, reals), gradient_norm = at::zeros({n}, reals.dtype(at::kDouble));
  std::vector<TrainedInstance> results(instances.size());
  const std::vector<Weights> initial = trainer.weights();
  for (std::int64_t step = 0; step < training.n_steps; ++step) {
    const at::Tensor loss = trainer.loss_and_gradient(step);
    last_loss = at::where(alive, loss, last_loss);
    gradient_norm = at::where(alive, gradient_norm + trainer.router_gradient_norm().to(at::kDouble), gradient_norm);
    if (step + 1 == training.n_steps || step % loss_every == 0) {
      const at::Tensor now = last_loss.cpu(), going = alive.cpu();
      for (std::int64_t i = 0; i < n; ++i) {
        if (!going.const_data_ptr<bool>()[i]) continue;
        results[index(i)].loss_curve.push_back({step, now.const_data_ptr<float>()[i]});
      }
    }
    trainer.update(step, alive);
    const at::Tensor bad = (loss <= kDivergedLoss).logical_and(trainer.all_finite()).logical_not().logical_and(alive);
    diverged_step = at::where(bad, at::full_like(diverged_step, step), diverged_step);
    alive = alive.logical_and(bad.logical_not());
    if (step % kInterruptEvery == 0) throw_if_interrupted("finished groups of instances are saved");
  }
  const std::vector<Weights> trained = trainer.weights();
  const at::Tensor step_cpu = diverged_step.cpu(), loss_cpu = last_loss.cpu(), norm_cpu = gradient_norm.cpu();
  for (std::int64_t i = 0; i < n; ++i) {
    TrainedInstance& result = results[index(i)];
    result.initial = initial[index(i)];
    result.trained = trained[index(i)];
    if (step_cpu.const_data_ptr<std::int64_t>()[i] >= 0)
      result.diverged_step = step_cpu.const_data_ptr<std::int64_t>()[i];
    result.last_batch_loss = loss_cpu.const_data_ptr<float>()[i];
    result.router_gradient_norm = norm_cpu.const_data_ptr<double>()[i] / static_cast<double>(training.n_steps);
  }
  return results;
}

std::vector<Weights> batched_gradient(const Architecture& architecture, const Training& training,
                                      std::span<const Instance> instances, std::int64_t step) {
  BatchedTrainer trainer(architecture, training, instances, at::kCPU);
  trainer.loss_and_gradient(step);
  return trainer.weights(true);
}

}  // namespace moescope::toy
