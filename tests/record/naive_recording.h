// What a recording must contain, computed the slow way: one sequence at a time through the whole model, every (token,
// layer, expert) kept, plain loops over all of it.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "moescope/base/random.h"
#include "moescope/model/language_model.h"
#include "moescope/text/windows.h"

namespace moescope::test {

// One token in one expert.
struct Routed {
  std::int64_t token = 0;  // place in the corpus
  std::int64_t slot = 0;   // among the token's experts
  double weight = 0, norm = 0;
  // As it is kept: with 14 significant bits.
  double score() const {
    int exponent = 0;
    const double mantissa = std::frexp(weight * norm, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(mantissa, 14)), exponent - 14);
  }
  std::int64_t n_active = 0, n_active_01 = 0;
  std::vector<std::int64_t> promoted;  // by exact logits
};

struct NaiveWindow {
  std::int64_t window_idx = 0, first_token = 0, n_tokens = 0, doc_idx = 0, position = 0;
};

class NaiveRecording {
 public:
  NaiveRecording(const model::Checkpoint& checkpoint, const text::TokenCorpus& tokens)
      : corpus(tokens), config(checkpoint.config()), model_(checkpoint, at::kFloat, at::kCPU) {
    const c10::InferenceMode inference(true);
    experts.resize(static_cast<std::size_t>(config.n_layers * n_columns()));
    entropy_bits.resize(static_cast<std::size_t>(config.n_layers));
    margin.resize(static_cast<std::size_t>(config.n_layers));
    for (const text::Sequence& sequence : corpus.sequences) run(sequence);
  }

  std::vector<Routed>& expert(std::int64_t layer, std::int64_t expert_idx) {
    return experts[static_cast<std::size_t>(layer * n_columns() + expert_idx)];
  }
  // The shared expert, if the model has one, is the last.
  std::int64_t n_columns() const { return config.router.n_experts + (config.d_shared > 0 ? 1 : 0); }

  const text::TokenCorpus& corpus;
  model::ModelConfig config;
  std::vector<std::vector<Routed>> experts;  // [L * columns], by ascending token
  std::vector<double> entropy_bits, margin;  // [L], sums
  std::vector<NaiveWindow> windows;
  std::vector<std::int64_t> window_of_token;  // [N]
  double sum_loss = 0;
  std::int64_t n_loss = 0;

 private:
  class Observer : public model::LayerObserver {
   public:
    Observer(NaiveRecording& to, std::int64_t layer, std::int64_t first) : to_(to), layer_(layer), first_(first) {}
    void on_routing(const model::Routing& routing) override {
      const at::Tensor probs = routing.logits.to(at::kDouble).softmax(-1).contiguous();
      const auto layer = static_cast<std::size_t>(layer_);
      for (std::int64_t t = 0; t < probs.size(0); ++t) {
        const double* row = probs.const_data_ptr<double>() + t * probs.size(1);
        std::vector<double> p(row, row + probs.size(1));
        for (const double value : p) to_.entropy_bits[layer] -= value * std::log2(value);
        std::sort(p.rbegin(), p.rend());
        to_.margin[layer] += p[0] - p[1];
      }
    }
    // weight of a token: the sigmoid of the shared expert's own router, or 1.
    void on_shared(const model::SharedCall& call) override {
      model::ExpertCall all;
      all.expert_idx = to_.config.router.n_experts;
      all.rows = all.slots = at::arange(call.outputs.size(0), at::kLong);
      all.weights = call.weights;
      all.neurons = call.neurons;
      all.outputs = call.outputs;
      on_expert(all);
    }
    void on_expert(const model::ExpertCall& call) override {
      const at::Tensor outputs = call.outputs.to(at::kDouble), neurons = call.neurons.to(at::kDouble).abs();
      const at::Tensor logits = at::matmul(outputs, to_.model_.embeddings().unembedding.to(at::kDouble).t());
      for (std::int64_t i = 0; i < call.rows.size(0); ++i) {
        Routed routed;
        routed.token = first_ + call.rows[i].item<std::int64_t>();
        routed.slot = call.slots[i].item<std::int64_t>() % to_.config.router.n_experts_per_token;
        routed.weight = call.weights[i].item<double>();
        routed.norm = std::sqrt(outputs[i].square().sum().item<double>());
        const double most = neurons[i].max().item<double>();
        routed.n_active = neurons[i].gt(0).sum().item<std::int64_t>();
        routed.n_active_01 = neurons[i].gt(0.1 * most).sum().item<std::int64_t>();
        const at::Tensor best = std::get<1>(logits[i].topk(3));
        for (int j = 0; j < 3; ++j) routed.promoted.push_back(best[j].item<std::int64_t>());
        to_.expert(layer_, call.expert_idx).push_back(routed);
      }
    }

   private:
    NaiveRecording& to_;
    std::int64_t layer_, first_;
  };

  void run(const text::Sequence& sequence) {
    const auto first = corpus.token_ids.begin() + sequence.first_token;
    const std::vector<std::int64_t> ids(first, first + sequence.n_tokens);
    std::vector<Observer> observers;
    for (std::int64_t l = 0; l < config.n_layers; ++l) observers.emplace_back(*this, l, sequence.first_token);
    const at::Tensor residual = model_.residual(at::tensor(ids, at::kLong).unsqueeze(0), [&](std::int64_t l) {
      return &observers[static_cast<std::size_t>(l)];
    });
    const at::Tensor log_probs = model_.logits(residual).to(at::kDouble).log_softmax(-1)[0];
    for (std::size_t t = 0; t + 1 < ids.size(); ++t, ++n_loss) {
      sum_loss -= log_probs[static_cast<std::int64_t>(t)][ids[t + 1]].item<double>();
    }
    for (std::int64_t t = 0; t < sequence.n_tokens; ++t) {
      if (t % corpus.window == 0) {
        windows.push_back({static_cast<std::int64_t>(windows.size()), sequence.first_token + t,
                           std::min<std::int64_t>(corpus.window, sequence.n_tokens - t), sequence.doc_idx,
                           sequence.position + t});
      }
      window_of_token.push_back(windows.back().window_idx);
    }
  }

  model::LanguageModel model_;
};

// A window in which an expert fired.
struct Fired {
  NaiveWindow window;
  double strength = 0;
  std::uint64_t priority = 0;
  std::vector<Routed> tokens;  // by falling score
  std::int64_t decile = -1;
};

inline std::vector<Fired> windows_of(NaiveRecording& recording, std::int64_t layer, std::int64_t expert,
                                     std::uint64_t seed) {
  std::map<std::int64_t, Fired> by_window;
  for (const Routed& routed : recording.expert(layer, expert)) {
    const std::int64_t idx = recording.window_of_token[static_cast<std::size_t>(routed.token)];
    Fired& fired = by_window[idx];
    fired.window = recording.windows[static_cast<std::size_t>(idx)];
    fired.strength = std::max(fired.strength, routed.score());
    const std::int64_t n_experts = recording.config.router.n_experts;
    const std::int64_t key =
        expert == n_experts ? recording.config.n_layers * n_experts + layer : layer * n_experts + expert;
    fired.priority = hash64(seed, static_cast<std::uint64_t>(idx), static_cast<std::uint64_t>(key));
    fired.tokens.push_back(routed);
  }
  std::vector<Fired> all;
  for (auto& [idx, fired] : by_window) {
    std::sort(fired.tokens.begin(), fired.tokens.end(), [](const Routed& a, const Routed& b) {
      return a.score() != b.score() ? a.score() > b.score() : a.token < b.token;
    });
    all.push_back(fired);
  }
  return all;
}

inline void sort_by_strength(std::vector<Fired>& windows) {
  std::sort(windows.begin(), windows.end(), [](const Fired& a, const Fired& b) {
    return a.strength != b.strength ? a.strength > b.strength : a.window.window_idx < b.window.window_idx;
  });
}

// The evidence that should be kept for one expert, in its order in the file.
inline std::vector<Fired> expected_evidence(std::vector<Fired> all, std::size_t n_strongest, std::size_t n_reservoir,
                                            std::size_t n_per_decile) {
  std::vector<Fired> strongest = all, sample = all, kept;
  sort_by_strength(strongest);
  strongest.resize(std::min(strongest.size(), n_strongest));
  std::sort(sample.begin(), sample.end(), [](const Fired& a, const Fired& b) { return a.priority < b.priority; });
  sample.resize(std::min(sample.size(), n_reservoir));
  sort_by_strength(sample);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    sample[i].decile = static_cast<std::int64_t>((sample.size() - 1 - i) * 10 / sample.size());
  }
  for (const Fired& candidate : sample) {
    std::size_t n_before = 0;  // of its decile, with a smaller hash
    for (const Fired& other : sample) {
      n_before += other.decile == candidate.decile && other.priority < candidate.priority ? 1 : 0;
    }
    if (n_before < n_per_decile) kept.push_back(candidate);
  }
  strongest.insert(strongest.end(), kept.begin(), kept.end());
  return strongest;
}

}  // namespace moescope::test
