// The files of `moescope record`, one struct each. An expert is told by `layer`, `expert` and `kind` in all of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/json_value.h"
#include "moescope/run/run_json.h"
#include "moescope/run/table_file.h"
#include "moescope/run/tensor_file.h"

namespace moescope::run {

// The words of `kind`.
inline constexpr const char* kRouted = "routed";  // chosen by the router
inline constexpr const char* kDense = "dense";    // the one expert, 0, of a layer: every token reaches it
inline constexpr const char* kShared = "shared";  // every token reaches it too; its number is n_experts

// Which expert a row is about.
struct ExpertId {
  std::int64_t layer = 0, expert = 0;
  std::string kind;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("layer", self.layer, "place of the layer, from 0");
    field("expert", self.expert,
          "place of the expert in its layer, from 0; a shared expert has the number behind the last routed one");
    field("kind", self.kind, "`routed`, `dense` (the one expert of a layer, which every token reaches) or `shared`",
          {.since = 2});
  }
};
// The kind of an expert where the file of an older schema does not tell it.
std::string kind_of(const ModelPart& model, std::int64_t layer, std::int64_t expert);

// experts.csv
struct ExpertRow {
  ExpertId id;
  std::int64_t n_tokens = 0;
  std::optional<double> load_frac;
  std::optional<double> mean_weight, mean_score, mean_output_norm, active_neuron_frac, active_neuron_frac_01;
  std::int64_t n_windows = 0;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    ExpertId::describe(self.id, field);
    field("n_tokens", self.n_tokens, "tokens that reach the expert");
    field("load_frac", self.load_frac,
          "n_tokens / (tokens run x K): the routed experts of a layer sum to 1; missing for a shared expert, which no "
          "router "
          "chooses");
    field("mean_weight", self.mean_weight, "mean over its tokens of the applied router weight");
    field("mean_score", self.mean_score, "mean over its tokens of weight x L2 norm of the output");
    field("mean_output_norm", self.mean_output_norm, "mean over its tokens of the L2 norm of the output");
    field("active_neuron_frac", self.active_neuron_frac,
          "mean share of its neurons with |a| > 0; a is what the down projection reads, silu(gate x) * (up x)");
    field("active_neuron_frac_01", self.active_neuron_frac_01,
          "mean share of its neurons with |a| > 0.1 x the largest |a| among the same token's neurons of this expert");
    field("n_windows", self.n_windows, "windows in which it fired");
    field("status", self.status,
          "`ok`, `rare` (fewer windows than strongest ones asked for), `never` (no token reached it)");
  }
};

// layers.csv
struct LayerRow {
  std::int64_t layer = 0, n_tokens = 0;
  std::optional<double> router_entropy_bits, router_margin, load_entropy_bits, load_max_over_mean;
  std::int64_t n_never_used = 0;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("layer", self.layer, "place of the layer, from 0");
    field("n_tokens", self.n_tokens, "tokens that passed it");
    field(
        "router_entropy_bits", self.router_entropy_bits,
        "mean over tokens of the entropy of the router's probabilities over all experts (the softmax, or sigmoids over "
        "their sum)");
    field("router_margin", self.router_margin, "mean difference of the first and second probability");
    field("load_entropy_bits", self.load_entropy_bits, "entropy of `load_frac` of the routed experts");
    field("load_max_over_mean", self.load_max_over_mean, "largest load over the mean load of the routed experts");
    field("n_never_used", self.n_never_used, "routed experts that no token reached");
  }
};

// domains.csv
struct DomainRow {
  ExpertId id;
  std::string domain;
  std::int64_t n_tokens = 0;
  std::optional<double> share_of_domain_frac;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    ExpertId::describe(self.id, field);
    field("domain", self.domain, "`unknown` where the corpus names none");
    field("n_tokens", self.n_tokens, "tokens of the domain that reach the expert");
    field("share_of_domain_frac", self.share_of_domain_frac,
          "of the domain's tokens: the routed experts of a layer sum to K, a shared one has 1");
  }
};

// documents.jsonl: one line a document that was run, in the order of the run.
struct DocumentLine {
  std::int64_t doc_idx = 0;
  std::string id, domain;
  std::int64_t n_tokens = 0, n_traced = 0;
  std::optional<std::string> text;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("doc_idx", self.doc_idx,
          "place in the order in which documents were run: a seeded random one unless `shuffle` is false");
    field("id", self.id, "as the corpus names it");
    field("domain", self.domain, "`unknown` where the corpus names none");
    field("n_tokens", self.n_tokens, "tokens that were run");
    field("n_traced", self.n_traced, "of them in the trace");
    field("text", self.text, "where any of its tokens is traced", {.leave_out = true});
  }
};

// vocabulary.json
struct Vocabulary {
  std::vector<std::string> pieces;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field(
        "pieces", self.pieces,
        "of token id 0, 1, ...: the bytes a piece stands for as text (invalid UTF-8 as U+FFFD), \"\" for ids that the "
        "tokenizer does not have");
  }
};
void write_vocabulary(const std::filesystem::path& folder, const std::vector<std::string>& pieces);
std::vector<std::string> read_vocabulary(const std::filesystem::path& folder);

// input_tokens.safetensors, for every layer l under "layers.{l}.": sparse counts of input token ids by expert.
struct InputTokens {
  std::int64_t n = 0;
  std::vector<std::int32_t> expert, token_id;
  std::vector<std::int64_t> count;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("nnz", self.n, "pairs of expert and token id with a count");
    tensor("expert", self.expert, "nnz", "place of the expert in the layer");
    tensor("token_id", self.token_id, "nnz", "id of the input token");
    tensor("count", self.count, "nnz", "tokens of this id that reached the expert");
  }
};

// coactivation.safetensors, for every layer l under "layers.{l}."
struct Coactivation {
  std::int64_t n_experts = 0;
  std::vector<std::int64_t> coactivation;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("E", self.n_experts, "routed experts of a layer");
    tensor("coactivation", self.coactivation, "E E",
           "tokens for which both experts were chosen; symmetric, the diagonal is n_tokens");
  }
};

// trace.safetensors: the first tokens of the run, in corpus order.
struct TraceTokens {
  std::int64_t n = 0;
  std::vector<std::int32_t> token_ids, doc_idx, position, context_position, byte_begin, byte_end;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("N", self.n, "traced tokens");
    tensor("token_ids", self.token_ids, "N", "ids of the tokens");
    tensor("doc_idx", self.doc_idx, "N", "line of documents.jsonl");
    tensor("position", self.position, "N", "index of the token in its document");
    tensor("context_position", self.context_position, "N", "index in the sequence that the model saw");
    tensor("byte_begin", self.byte_begin, "N", "first byte of the token in the document's `text`");
    tensor("byte_end", self.byte_end, "N", "byte behind its last one");
  }
};

// trace.safetensors, for every layer l under "layers.{l}."
struct TraceRouting {
  std::int64_t n = 0, n_experts_per_token = 0;
  std::vector<std::int32_t> expert_ids;
  std::vector<float> weights, scores;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("N", self.n, "traced tokens");
    tensor.size("K", self.n_experts_per_token, "experts a token");
    tensor("expert_ids", self.expert_ids, "N K",
           "places of the experts in the layer (in a dense layer 0, then -1 with weight and score 0)");
    tensor("weights", self.weights, "N K", "applied router weights");
    tensor("scores", self.scores, "N K", "weight x L2 norm of the expert's output, rounded to 14 bits");
  }
};

// trace.safetensors, for every layer l with a shared expert under "layers.{l}."
struct TraceShared {
  std::int64_t n = 0;
  std::vector<float> weights, scores;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("N", self.n, "traced tokens");
    tensor("shared_weights", self.weights, "N", "weights of the shared expert; only of layers that have one");
    tensor("shared_scores", self.scores, "N", "weight x L2 norm of its output, rounded to 14 bits");
  }
};

// evidence.safetensors: windows of all layers and experts, sorted by layer, expert, kind, descending strength.
struct Evidence {
  static constexpr std::int64_t kStrongestTokens = 5, kPromotedTokens = 3;
  std::int64_t n_windows = 0, n_positions = 0;
  std::vector<std::int32_t> layer, expert, kind, decile;
  std::vector<float> strength;
  std::vector<std::int32_t> doc_idx, position, length, token_ids;
  std::vector<float> scores;
  std::vector<std::int32_t> strongest, promoted;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("W", self.n_windows, "windows");
    tensor.size("S", self.n_positions, "tokens of a window");
    tensor("layer", self.layer, "W", "place of the layer");
    tensor("expert", self.expert, "W", "place of the expert in its layer");
    tensor("kind", self.kind, "W", "0: among the strongest, 1: sample over deciles");
    tensor("decile", self.decile, "W", "of strength, 0 weakest to 9 strongest; -1 for kind 0");
    tensor("strength", self.strength, "W", "largest score in the window");
    tensor("doc_idx", self.doc_idx, "W", "line of documents.jsonl");
    tensor("position", self.position, "W", "of the first token in the document");
    tensor("length", self.length, "W", "tokens, at most S");
    tensor("token_ids", self.token_ids, "W S", "ids of the tokens, -1 behind the end");
    tensor("scores", self.scores, "W S", "weight x L2 norm of the expert's output; 0: not routed here");
    tensor("strongest", self.strongest, "W 5", "places in the window of the tokens with the largest scores, -1: fewer");
    tensor("promoted", self.promoted, "W 5 3", "the 3 token ids that U o promotes most at those tokens, -1: none");
  }
};

// evidence.parquet: the same windows for people.
struct EvidenceRow {
  ExpertId id;
  std::string window;
  std::optional<std::int64_t> decile;
  double strength = 0;
  std::int64_t doc_idx = 0, position = 0, length = 0;
  std::vector<std::int64_t> token_ids;
  std::vector<double> scores;
  std::string text, promoted;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    ExpertId::describe(self.id, field);
    field("window", self.window, "`strongest` or `sample`");
    field("decile", self.decile, "of strength, 0 weakest to 9 strongest; only of a sample");
    field("strength", self.strength, "largest score in the window");
    field("doc_idx", self.doc_idx, "line of documents.jsonl");
    field("position", self.position, "of the first token in the document");
    field("length", self.length, "tokens");
    field("token_ids", self.token_ids, "ids of the tokens");
    field("scores", self.scores, "weight x L2 norm of the expert's output; 0: not routed here");
    field("text", self.text, "the window, routed tokens in double asterisks");
    field("promoted", self.promoted, "the strongest tokens, each with what it promotes");
  }
};

// The readers of a run of any schema, each file checked against the model: places in range, no row twice. Throw kInput
// naming file and row or tensor.
std::vector<ExpertRow> read_experts(const std::filesystem::path& folder, const ModelPart& model);
std::vector<LayerRow> read_layers(const std::filesystem::path& folder, const ModelPart& model);
std::vector<DomainRow> read_domains(const std::filesystem::path& folder, const ModelPart& model);

}  // namespace moescope::run
