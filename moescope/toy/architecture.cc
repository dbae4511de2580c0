#include "moescope/toy/architecture.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/toy/instance.h"

namespace moescope::toy {
namespace {

// Far above any toy, far below what would not fit into memory.
constexpr std::int64_t kMaxFeatures = 1 << 16, kMaxDims = 1 << 14, kMaxExperts = 1 << 12;
constexpr std::int64_t kMaxParameters = std::int64_t{1} << 26;
constexpr std::int64_t kMaxSteps = 1'000'000'000, kMaxBatch = 1 << 20, kMaxBatchNumbers = 1 << 26;

template <typename Enum>
using Words = std::pair<Enum, const char*>;

constexpr std::array kGateKinds = {
    Words<GateKind>{GateKind::kRenormalized, "renormalized"}, Words<GateKind>{GateKind::kSwitch, "switch"},
    Words<GateKind>{GateKind::kFrozen, "frozen"}, Words<GateKind>{GateKind::kHash, "hash"}};
constexpr std::array kTieRules = {Words<TieRule>{TieRule::kFirst, "first"}, Words<TieRule>{TieRule::kRandom, "random"},
                                  Words<TieRule>{TieRule::kExcludeZero, "exclude_zero"}};
constexpr std::array kBiasInits = {Words<BiasInit>{BiasInit::kZero, "zero"},
                                   Words<BiasInit>{BiasInit::kXavier, "xavier"}};
constexpr std::array kWeightInits = {Words<WeightInit>{WeightInit::kWholeTensor, "whole_tensor"},
                                     Words<WeightInit>{WeightInit::kPerExpert, "per_expert"}};
constexpr std::array kGateInits = {
    Words<GateInit>{GateInit::kXavier, "xavier"}, Words<GateInit>{GateInit::kZero, "zero"},
    Words<GateInit>{GateInit::kDiagonal, "diagonal"}, Words<GateInit>{GateInit::kBlocks, "blocks"},
    Words<GateInit>{GateInit::kShuffledBlocks, "shuffled_blocks"}};
constexpr std::array kLossKinds = {Words<LossKind>{LossKind::kSum, "sum"}, Words<LossKind>{LossKind::kMean, "mean"}};

template <typename Table, typename Enum>
const char* word_in(const Table& table, Enum value) {
  for (const auto& [known, word] : table) {
    if (known == value) return word;
  }
  MOESCOPE_ASSERT(false);
  return "";
}

template <typename Table, typename Enum>
void parse_in(const Table& table, const std::string& word, Enum& value) {
  std::string words;
  for (const auto& [known, known_word] : table) {
    if (word == known_word) {
      value = known;
      return;
    }
    words += (words.empty() ? "" : ", ") + std::string(known_word);
  }
  throw input_error("'{}' is unknown; one of: {}", word, words);
}

void check_range(const char* key, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) throw input_error("{} is {}, expected {} to {}", key, value, low, high);
}

void check_real(const char* key, double value, bool good, const char* expected) {
  if (!std::isfinite(value) || !good) throw input_error("{} is {}, expected {}", key, value, expected);
}

}  // namespace

const char* word_of(GateKind kind) { return word_in(kGateKinds, kind); }
const char* word_of(TieRule rule) { return word_in(kTieRules, rule); }
const char* word_of(BiasInit init) { return word_in(kBiasInits, init); }
const char* word_of(WeightInit init) { return word_in(kWeightInits, init); }
const char* word_of(GateInit init) { return word_in(kGateInits, init); }
const char* word_of(LossKind kind) { return word_in(kLossKinds, kind); }
void parse_word(const std::string& word, GateKind& kind) { parse_in(kGateKinds, word, kind); }
void parse_word(const std::string& word, TieRule& rule) { parse_in(kTieRules, word, rule); }
void parse_word(const std::string& word, BiasInit& init) { parse_in(kBiasInits, word, init); }
void parse_word(const std::string& word, WeightInit& init) { parse_in(kWeightInits, word, init); }
void parse_word(const std::string& word, GateInit& init) { parse_in(kGateInits, word, init); }
void parse_word(const std::string& word, LossKind& kind) { parse_in(kLossKinds, word, kind); }

std::int64_t n_parameters(const Architecture& a) { return a.n_experts * a.n_features * (a.n_dims + 2); }

void check(const Architecture& a) {
  check_range("n_features", a.n_features, 1, kMaxFeatures);
  check_range("n_dims", a.n_dims, 1, kMaxDims);
  check_range("n_experts", a.n_experts, 1, kMaxExperts);
  if (n_parameters(a) > kMaxParameters) {
    throw input_error("{} experts of {} x {} are {} parameters, at most {}", a.n_experts, a.n_features, a.n_dims,
                      n_parameters(a), kMaxParameters);
  }
  if (a.n_active < 1 || a.n_active > a.n_experts) {
    throw input_error("n_active is {}, expected 1 to n_experts = {}", a.n_active, a.n_experts);
  }
  check_range("n_top_activations", a.n_top_activations, 0, a.n_dims);
  if (a.gate_init == GateInit::kBlocks || a.gate_init == GateInit::kShuffledBlocks) {
    if (a.n_features % a.n_experts != 0) {
      throw input_error("gate_init {} needs n_features = {} to be a multiple of n_experts = {}", word_of(a.gate_init),
                        a.n_features, a.n_experts);
    }
  }
  check_range("group_size", a.group_size, 0, a.n_features);
  check_real("group_correlation", a.group_correlation, a.group_correlation >= 0 && a.group_correlation <= 1,
             "a number from 0 to 1");
  if (a.group_size == 0 && a.group_correlation != 0) {
    throw input_error("group_correlation is {} without groups", a.group_correlation).hint("set group_size");
  }
  if (a.name.empty() || a.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") !=
                            std::string::npos) {
    throw input_error("name '{}': expected letters, digits, '-', '_' and '.'", a.name);
  }
}

void check(const Training& t) {
  check_range("steps", t.n_steps, 1, kMaxSteps);
  check_range("batch", t.batch, 1, kMaxBatch);
  check_real("lr", t.lr, t.lr > 0, "a number above 0");
  check_real("beta1", t.beta1, t.beta1 >= 0 && t.beta1 < 1, "a number in [0, 1)");
  check_real("beta2", t.beta2, t.beta2 >= 0 && t.beta2 < 1, "a number in [0, 1)");
  check_real("eps", t.eps, t.eps > 0, "a number above 0");
  check_real("weight_decay", t.weight_decay, t.weight_decay >= 0, "a number from 0");
  check_real("balance_coef", t.balance_coef, t.balance_coef >= 0, "a number from 0");
}

void check(const Architecture& a, const Training& t) {
  // Draws of a step have 32-bit block numbers, and a balance loss keeps a whole batch of several instances at a time.
  const std::int64_t per_input = 2 * a.n_features + a.group_size + 1 + 4 * a.n_experts;
  if (t.batch > kMaxBatchNumbers / per_input) {
    throw input_error("batch is {}: at {} features and {} experts at most {}", t.batch, a.n_features, a.n_experts,
                      kMaxBatchNumbers / per_input)
        .at(a.name);
  }
  if (a.gate == GateKind::kHash && t.balance_coef > 0) {
    throw input_error("balance_coef is {}, but the hash router has no probabilities to balance", t.balance_coef)
        .at(a.name);
  }
}

void check(const Architecture& a, const Instance& instance) {
  if (!(instance.density > 0 && instance.density <= 1) || static_cast<float>(instance.density) == 0.0F) {
    throw input_error("density is {}, expected a probability above 0 and at most 1", instance.density).at(a.name);
  }
  if (static_cast<std::int64_t>(instance.importance.size()) != a.n_features) {
    throw input_error("importance has {} values, expected one for each of {} features", instance.importance.size(),
                      a.n_features)
        .at(a.name);
  }
  for (const float value : instance.importance) {
    if (!(value >= 0) || !std::isfinite(value)) {
      throw input_error("importance {} is not a finite number from 0", value).at(a.name);
    }
  }
}

bool router_receives_gradient(const Architecture& a, const Training& t) {
  if (a.gate == GateKind::kFrozen || a.gate == GateKind::kHash || a.n_experts == 1) return false;
  return a.gate == GateKind::kSwitch || a.n_active > 1 || t.balance_coef > 0;
}

nlohmann::json to_json(const Architecture& a) {
  return {{"name", a.name},
          {"n_features", a.n_features},
          {"n_dims", a.n_dims},
          {"n_experts", a.n_experts},
          {"n_active", a.n_active},
          {"n_top_activations", a.n_top_activations},
          {"gate", word_of(a.gate)},
          {"ties", word_of(a.ties)},
          {"bias_init", word_of(a.bias_init)},
          {"weight_init", word_of(a.weight_init)},
          {"gate_init", word_of(a.gate_init)},
          {"group_size", a.group_size},
          {"group_correlation", a.group_correlation}};
}

nlohmann::json to_json(const Training& t) {
  return {{"steps", t.n_steps},
          {"batch", t.batch},
          {"lr", t.lr},
          {"beta1", t.beta1},
          {"beta2", t.beta2},
          {"eps", t.eps},
          {"weight_decay", t.weight_decay},
          {"loss", word_of(t.loss)},
          {"balance_coef", t.balance_coef}};
}

}  // namespace moescope::toy
