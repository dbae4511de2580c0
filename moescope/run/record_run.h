// run.json of `moescope record`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/run_json.h"

namespace moescope::run {

struct RecordCorpusPart {
  std::string name, hash;
  std::vector<std::string> files;
  bool complete = false;
  std::int64_t n_documents = 0, n_empty = 0, n_replaced_bytes = 0, n_bytes = 0, n_tokens_available = 0,
               n_tokens_run = 0;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("name", self.name, "as asked for");
    field("hash", self.hash, "of the text that was run");
    field("files", self.files, "that were read");
    field("complete", self.complete, "whether the whole corpus was run");
    field("n_documents", self.n_documents, "that were run");
    field("n_empty", self.n_empty, "without text");
    field("n_replaced_bytes", self.n_replaced_bytes, "not UTF-8, replaced by U+FFFD");
    field("n_bytes", self.n_bytes, "of text that was read");
    field("n_tokens_available", self.n_tokens_available,
          "tokens of the documents that were run: more than `n_tokens_run` if the last one was cut, and fewer than the "
          "corpus has unless `complete`");
    field("n_tokens_run", self.n_tokens_run, "tokens that were run");
  }
};

struct LossPart {
  std::optional<double> mean_nats, perplexity;
  std::int64_t n = 0;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("mean_nats", self.mean_nats, "of next-token prediction, over every token with a successor in its sequence");
    field("perplexity", self.perplexity, "exp(mean_nats)");
    field("n", self.n, "tokens in the mean");
  }
};

struct RecordRun {
  Head head;
  ModelPart model;
  TokenizerPart tokenizer;
  RecordCorpusPart corpus;
  std::string device, dtype;
  std::uint64_t seed = 0;
  std::int64_t window = 0, context = 0, n_traced = 0, n_windows = 0, n_experts_never = 0, n_experts_rare = 0;
  WavesPart waves;
  MemoryPart memory;
  std::optional<double> tokens_per_s;
  LossPart loss;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    Head::describe(self.head, field);
    field("model", self.model, "what was run");
    field("tokenizer", self.tokenizer, "its tokenizer");
    field("corpus", self.corpus, "the text");
    field("device", self.device, "of the pass");
    field("dtype", self.dtype, "in which the model ran; `model.dtype` is the stored one");
    field("seed", self.seed, "of every random choice");
    field("window", self.window, "S, tokens of an evidence window");
    field("context", self.context, "tokens that the model saw together");
    field("n_traced", self.n_traced, "N, tokens in the trace");
    field("n_windows", self.n_windows, "windows of the corpus");
    field("n_experts_never", self.n_experts_never, "experts that no token reached");
    field("n_experts_rare", self.n_experts_rare, "experts with fewer windows than strongest ones asked for");
    field("waves", self.waves, "of the pass");
    field("memory", self.memory, "of the process");
    field("tokens_per_s", self.tokens_per_s, "of the pass");
    field("loss", self.loss, "of the model on the corpus");
  }
};

}  // namespace moescope::run
