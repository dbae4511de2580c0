#include "moescope/toy/architecture.h"

#include <fmt/format.h>

#include <cmath>

#include "moescope/base/error.h"
#include "moescope/toy/instance.h"

namespace moescope::toy {
namespace {

// Far above any toy, far below what would not fit into memory.
constexpr std::int64_t kMaxFeatures = 1 << 16, kMaxDims = 1 << 14, kMaxExperts = 1 << 12;
constexpr std::int64_t kMaxParameters = std::int64_t{1} << 26;
constexpr std::int64_t kMaxSteps = 1'000'000'000, kMaxBatch = 1 << 20, kMaxBatchNumbers = 1 << 26;

}  // namespace

void Architecture::describe(OptionList& list) {
  list.group("Architecture");
  list.add("name", name, "in tables and names of tensors; letters, digits, '-', '_' and '.'");
  list.add("n-features", n_features, "n", {.least = 1, .most = kMaxFeatures});
  list.add("n-dims", n_dims, "m, hidden dimensions of every expert", {.least = 1, .most = kMaxDims});
  list.add("n-experts", n_experts, "E", {.least = 1, .most = kMaxExperts});
  list.add("n-active", n_active, "k, experts of an input", {.least = 1});
  list.add("n-top-activations", n_top_activations, "hidden activations that an expert keeps, by size; 0: all",
           {.least = 0});
  list.add("gate", gate, "weight of an active expert");
  list.add("ties", ties, "who gets an input whose scores are equal");
  list.add("bias-init", bias_init, "initial biases");
  list.add("weight-init", weight_init, "initial weights");
  list.add("gate-init", gate_init, "initial gate");
  list.add("group-size", group_size, "consecutive features that form a group; 0: independent features", {.least = 0});
  list.add("group-correlation", group_correlation, "of being active, for two features of a group",
           {.least = 0, .most = 1});
}

void Training::describe(OptionList& list) {
  list.group("Training");
  list.add("steps", n_steps, "optimiser steps", {.unit = "steps", .least = 1, .most = kMaxSteps});
  list.add("batch", batch, "fresh inputs a step", {.unit = "inputs", .least = 1, .most = kMaxBatch});
  list.add("lr", lr, "learning rate", {.above = 0});
  list.add("beta1", beta1, "AdamW", {.least = 0, .below = 1});
  list.add("beta2", beta2, "AdamW", {.least = 0, .below = 1});
  list.add("eps", eps, "AdamW", {.above = 0});
  list.add("weight-decay", weight_decay, "AdamW", {.least = 0});
  list.add("loss", loss, "over features");
  list.add("balance-coef", balance_coef, "of the balance loss", {.least = 0});
}

std::int64_t n_parameters(const Architecture& a) { return a.n_experts * a.n_features * (a.n_dims + 2); }

void check(const Architecture& a) {
  check_options(a);
  if (n_parameters(a) > kMaxParameters) {
    throw usage_error("{} experts of {} x {} are {} parameters, at most {}", a.n_experts, a.n_features, a.n_dims,
                      n_parameters(a), kMaxParameters);
  }
  if (a.n_active > a.n_experts) {
    throw usage_error("{} is {}, expected at most {} = {}", option_name("n-active"), a.n_active,
                      option_name("n-experts"), a.n_experts);
  }
  if (a.n_top_activations > a.n_dims) {
    throw usage_error("{} is {}, expected at most {} = {}", option_name("n-top-activations"), a.n_top_activations,
                      option_name("n-dims"), a.n_dims);
  }
  if (a.gate_init == GateInit::kBlocks || a.gate_init == GateInit::kShuffledBlocks) {
    if (a.n_features % a.n_experts != 0) {
      throw usage_error("{} {} needs {} = {} to be a multiple of {} = {}", option_name("gate-init"),
                        word_of(a.gate_init), option_name("n-features"), a.n_features, option_name("n-experts"),
                        a.n_experts);
    }
  }
  if (a.group_size > a.n_features) {
    throw usage_error("{} is {}, expected at most {} = {}", option_name("group-size"), a.group_size,
                      option_name("n-features"), a.n_features);
  }
  if (a.group_size == 0 && a.group_correlation != 0) {
    throw usage_error("{} is {} without groups", option_name("group-correlation"), a.group_correlation)
        .hint("set " + option_name("group-size"));
  }
  if (a.name.empty() || a.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") !=
                            std::string::npos) {
    throw usage_error("name '{}': expected letters, digits, '-', '_' and '.'", a.name);
  }
}

void check(const Training& t) { check_options(t); }

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

}  // namespace moescope::toy
