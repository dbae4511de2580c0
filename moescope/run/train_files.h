// The logs that `moescope train` writes beside the model's own files.
#pragma once

#include <cstdint>

#include "moescope/run/table_file.h"

namespace moescope::run {

// train_log.csv
struct TrainRow {
  std::int64_t step = 0, n_tokens = 0;
  double loss = 0, load_balance = 0, router_z = 0, grad_norm = 0, lr = 0, tokens_per_s = 0;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("step", self.step, "of the optimiser, from 1");
    field("n_tokens", self.n_tokens, "seen so far", {.former = "tokens"});
    field("loss", self.loss, "cross-entropy, nats a token, mean over the step");
    field("load_balance", self.load_balance, "1 if uniform");
    field("router_z", self.router_z, "router z loss");
    field("grad_norm", self.grad_norm, "before clipping");
    field("lr", self.lr, "learning rate");
    field("tokens_per_s", self.tokens_per_s, "of the step");
  }
};

// validation_log.csv
struct ValidationRow {
  std::int64_t step = 0, n_tokens = 0;
  double loss = 0, perplexity = 0;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("step", self.step, "of the optimiser, from 1");
    field("n_tokens", self.n_tokens, "seen so far", {.former = "tokens"});
    field("loss", self.loss, "of the held-out documents, nats a token");
    field("perplexity", self.perplexity, "exp(loss)");
  }
};

}  // namespace moescope::run
