#include "moescope/toy/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "moescope/base/error.h"
#include "moescope/toy/draws.h"

namespace moescope::toy {
namespace {

constexpr std::int64_t kMaxWords = std::int64_t{1} << 33;  // draws have 32-bit numbers of blocks of four

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

double ratio(double part, double whole) { return whole > 0 ? part / whole : std::numeric_limits<double>::quiet_NaN(); }

// Routes and reconstructs inputs one after the other.
class Model {
 public:
  Model(const Architecture& a, std::uint64_t seed, const Weights& weights)
      : a_(a), weights_(weights), scores_(index(a.n_experts)), p_(index(a.n_experts)), hidden_(index(a.n_dims)) {
    if (a.gate == GateKind::kHash) keys_ = hash_keys(a, seed);
    forward_.gate.resize(index(a.n_experts));
    forward_.in_k.resize(index(a.n_experts));
    forward_.x_hat.resize(index(a.n_features));
  }

  // The gate only; x_hat keeps what it held.
  const Forward& route(std::span<const float> x, std::uint32_t tie_word) {
    std::fill(forward_.in_k.begin(), forward_.in_k.end(), static_cast<unsigned char>(0));
    std::fill(forward_.gate.begin(), forward_.gate.end(), 0.0);
    const bool any = std::any_of(x.begin(), x.end(), [](float value) { return value > 0; });
    if (a_.ties == TieRule::kExcludeZero && a_.n_active < a_.n_experts && !any) return forward_;
    score(x);
    choose(tie_word);
    weigh();
    return forward_;
  }

  const Forward& run(std::span<const float> x, std::uint32_t tie_word) {
    route(x, tie_word);
    std::fill(forward_.x_hat.begin(), forward_.x_hat.end(), 0.0);
    for (std::int64_t e = 0; e < a_.n_experts; ++e) {
      if (forward_.in_k[index(e)] != 0) add_expert(e, x);
    }
    return forward_;
  }

 private:
  void score(std::span<const float> x) {
    const std::size_t n = x.size();
    if (a_.gate == GateKind::kHash) {
      std::uint32_t pattern = 0;
      for (std::size_t i = 0; i < n; ++i) pattern ^= x[i] > 0 ? keys_.features[i] : 0U;
      for (std::size_t e = 0; e < scores_.size(); ++e) {
        scores_[e] = static_cast<float>(hash_mix(pattern ^ keys_.experts[e]));
      }
      return;
    }
    for (std::size_t e = 0; e < scores_.size(); ++e) {
      float sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += weights_.gate[e * n + i] * x[i];
      scores_[e] = sum;
    }
  }

  void choose(std::uint32_t tie_word) {
    const std::int64_t first = a_.ties == TieRule::kRandom ? first_in_order(tie_word, a_.n_experts) : 0;
    for (std::int64_t round = 0; round < a_.n_active; ++round) {
      std::int64_t best = -1;
      for (std::int64_t place = 0; place < a_.n_experts; ++place) {
        const std::int64_t e = (first + place) % a_.n_experts;
        if (forward_.in_k[index(e)] != 0) continue;
        if (best < 0 || scores_[index(e)] > scores_[index(best)]) best = e;
      }
      forward_.in_k[index(best)] = 1;
    }
  }

  void weigh() {
    if (a_.gate == GateKind::kHash || (a_.gate != GateKind::kSwitch && a_.n_active == 1)) {
      for (std::size_t e = 0; e < scores_.size(); ++e) {
        forward_.gate[e] = forward_.in_k[e] / static_cast<double>(a_.n_active);
      }
      return;
    }
    const double largest = *std::max_element(scores_.begin(), scores_.end());
    double sum = 0;
    for (std::size_t e = 0; e < scores_.size(); ++e) {
      p_[e] = std::exp(static_cast<double>(scores_[e]) - largest);
      if (a_.gate == GateKind::kSwitch || forward_.in_k[e] != 0) sum += p_[e];
    }
    for (std::size_t e = 0; e < scores_.size(); ++e) forward_.gate[e] = forward_.in_k[e] != 0 ? p_[e] / sum : 0;
  }

  void add_expert(std::int64_t e, std::span<const float> x) {
    const std::size_t n = x.size(), m = hidden_.size();
    const float* w = weights_.w.data() + index(e) * n * m;
    std::fill(hidden_.begin(), hidden_.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      if (!(x[i] > 0)) continue;
      for (std::size_t j = 0; j < m; ++j) hidden_[j] += static_cast<double>(w[i * m + j]) * static_cast<double>(x[i]);
    }
    if (a_.n_top_activations > 0) keep_largest();
    for (std::size_t i = 0; i < n; ++i) {
      auto z = static_cast<double>(weights_.b[index(e) * n + i]);
      for (std::size_t j = 0; j < m; ++j) z += static_cast<double>(w[i * m + j]) * hidden_[j];
      if (z > 0) forward_.x_hat[i] += forward_.gate[index(e)] * z;
    }
  }

  void keep_largest() {
    std::vector<std::size_t> order(hidden_.size());
    for (std::size_t j = 0; j < order.size(); ++j) order[j] = j;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return std::abs(hidden_[a]) > std::abs(hidden_[b]); });
    for (std::size_t place = index(a_.n_top_activations); place < order.size(); ++place) hidden_[order[place]] = 0;
  }

  const Architecture& a_;
  const Weights& weights_;
  HashKeys keys_;
  std::vector<float> scores_;
  std::vector<double> p_, hidden_;
  Forward forward_;
};

float density_of(const Instance& instance, const EvaluationOptions& options) {
  return static_cast<float>(options.density > 0 ? options.density : instance.density);
}

void check_all(const Architecture& a, const Instance& instance, const Weights& weights,
               const EvaluationOptions& options) {
  check(a);
  check(a, instance);
  check_options(options);
  if (options.n_samples > kMaxWords / input_layout(a).stride) {
    throw usage_error("{} is {}, at most {} for {} features", option_name("eval-samples"), options.n_samples,
                      kMaxWords / input_layout(a).stride, a.n_features);
  }
  MOESCOPE_ASSERT(weights.w.size() == index(a.n_experts * a.n_features * a.n_dims));
  MOESCOPE_ASSERT(weights.b.size() == index(a.n_experts * a.n_features) && weights.gate.size() == weights.b.size());
}

// Sums over inputs from which an Evaluation is made.
struct Sums {
  explicit Sums(const Architecture& a)
      : used(index(a.n_experts)),
        used_nonzero(index(a.n_experts)),
        gate(index(a.n_experts)),
        used_with(index(a.n_experts * a.n_features)),
        gain_with(index(a.n_experts * a.n_features)),
        active(index(a.n_features)),
        x(index(a.n_features)),
        x_squares(index(a.n_features)),
        error_squares(index(a.n_features)) {}

  void add(const Forward& forward, std::span<const float> input) {
    const std::size_t n = input.size();
    const bool nonzero = std::any_of(input.begin(), input.end(), [](float value) { return value > 0; });
    n_nonzero += nonzero ? 1 : 0;
    for (std::size_t e = 0; e < used.size(); ++e) {
      if (forward.in_k[e] == 0) continue;
      used[e] += 1;
      used_nonzero[e] += nonzero ? 1 : 0;
      gate[e] += forward.gate[e];
      for (std::size_t i = 0; i < n; ++i) {
        if (!(input[i] > 0)) continue;
        used_with[e * n + i] += 1;
        gain_with[e * n + i] += forward.gate[e];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      const auto value = static_cast<double>(input[i]);
      const double error = value - forward.x_hat[i];
      active[i] += value > 0 ? 1 : 0;
      x[i] += value;
      x_squares[i] += value * value;
      error_squares[i] += error * error;
    }
  }

  std::int64_t n_nonzero = 0;
  std::vector<double> used, used_nonzero, gate;  // [E]
  std::vector<double> used_with, gain_with;      // [E, n]
  std::vector<double> active, x, x_squares, error_squares;
};

Evaluation to_evaluation(const Sums& sums, std::int64_t n_samples) {
  Evaluation result;
  const auto total = static_cast<double>(n_samples);
  const std::size_t n = sums.active.size(), n_experts = sums.used.size();
  result.n_samples = n_samples;
  result.n_nonzero = sums.n_nonzero;
  for (std::size_t e = 0; e < n_experts; ++e) {
    result.use.push_back(sums.used[e] / total);
    result.use_nonzero.push_back(ratio(sums.used_nonzero[e], static_cast<double>(sums.n_nonzero)));
    result.mean_gate.push_back(sums.gate[e] / total);
    for (std::size_t i = 0; i < n; ++i) {
      const double with = sums.used_with[e * n + i];
      result.use_given_feature.push_back(ratio(with, sums.active[i]));
      result.density_in_expert.push_back(ratio(with, sums.used[e]));
      result.gain.push_back(ratio(sums.gain_with[e * n + i], with));
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double mean = sums.x[i] / total;
    const double variance = std::max(0.0, sums.x_squares[i] / total - mean * mean);
    result.r2.push_back(1 - ratio(sums.error_squares[i] / total, variance));
  }
  return result;
}

}  // namespace

void EvaluationOptions::describe(OptionList& list) {
  list.add("eval-samples", n_samples, "held-out inputs a model",
           {.unit = "inputs", .least = 1, .most = std::int64_t{1} << 30});
  list.add("eval-density", density, "their density; 0: as in training", {.least = 0, .most = 1});
}

Evaluation evaluate(const Architecture& a, const Training& training, const Instance& instance, const Weights& weights,
                    const EvaluationOptions& options) {
  check_all(a, instance, weights, options);
  const InputLayout layout = input_layout(a);
  const float density = density_of(instance, options);
  const double scale = training.loss == LossKind::kSum ? 1.0 : 1.0 / static_cast<double>(a.n_features);
  Model model(a, instance.seed, weights);
  Sums sums(a);
  std::vector<float> x(index(a.n_features));
  double loss_sum = 0, loss_squares = 0;
  for (std::int64_t s = 0; s < options.n_samples; ++s) {
    const std::uint32_t tie_word =
        draw_input(layout, density, instance.seed, Stream::kEvaluation, 0, static_cast<std::uint64_t>(s), x);
    const Forward& forward = model.run(x, tie_word);
    sums.add(forward, x);
    double loss = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = static_cast<double>(x[i]) - forward.x_hat[i];
      loss += scale * static_cast<double>(instance.importance[i]) * error * error;
    }
    loss_sum += loss;
    loss_squares += loss * loss;
  }
  Evaluation result = to_evaluation(sums, options.n_samples);
  const auto total = static_cast<double>(options.n_samples);
  result.loss = loss_sum / total;
  result.loss_sd = std::sqrt(std::max(0.0, loss_squares / total - result.loss * result.loss));
  return result;
}

std::vector<double> expert_use(const Architecture& a, const Instance& instance, const Weights& weights,
                               const EvaluationOptions& options, const ChangedInputs& change) {
  check_all(a, instance, weights, options);
  for (const std::vector<std::int64_t>* features : {&change.clamped, &change.only}) {
    for (const std::int64_t i : *features) {
      if (i < 0 || i >= a.n_features) throw input_error("feature {} of {} does not exist", i, a.n_features);
    }
  }
  const InputLayout layout = input_layout(a);
  const bool unchanged = change.clamped.empty() && change.only.empty();
  const Stream stream = unchanged ? Stream::kEvaluation : Stream::kChanged;
  Model model(a, instance.seed, weights);
  std::vector<float> x(index(a.n_features));
  std::vector<double> use(index(a.n_experts));
  for (std::int64_t s = 0; s < options.n_samples; ++s) {
    const auto sample = static_cast<std::uint64_t>(s);
    const std::uint32_t tie_word =
        draw_input(layout, density_of(instance, options), instance.seed, stream, 0, sample, x);
    if (!change.only.empty()) {
      const float value = uniform_of(draw(instance.seed, stream, 1, sample));
      std::fill(x.begin(), x.end(), 0.0F);
      for (const std::int64_t i : change.only) x[index(i)] = value;
    }
    for (const std::int64_t i : change.clamped) x[index(i)] = 1;
    const Forward& forward = model.route(x, tie_word);
    for (std::size_t e = 0; e < use.size(); ++e) use[e] += forward.in_k[e];
  }
  for (double& share : use) share /= static_cast<double>(options.n_samples);
  return use;
}

Forward forward(const Architecture& a, const Instance& instance, const Weights& weights, std::span<const float> x,
                std::uint32_t tie_word) {
  check_all(a, instance, weights, {});
  if (x.size() != index(a.n_features)) throw input_error("an input of {} features, not {}", x.size(), a.n_features);
  return Model(a, instance.seed, weights).run(x, tie_word);
}

}  // namespace moescope::toy
