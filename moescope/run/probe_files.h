// The files of `moescope probe`: its tables, its samples and its run.json; and the published form of such a table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/record_files.h"

namespace moescope::run {

// probes.csv: the published columns in the published order, then ours. Main probes only, one row for each.
struct ProbeRow {
  std::string concept_name;
  std::int64_t layer = 0, expert = 0, k = 0;
  std::optional<double> f1, recall, precision;
  std::optional<std::int64_t> n_positive, n_negative;
  std::string kind, category, status;
  std::optional<std::int64_t> n_steps;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("concept", self.concept_name, "name of the concept");
    field("layer", self.layer, "place of the layer, from 0");
    field("expert", self.expert, "place of the expert in its layer, from 0");
    field("k", self.k, "neurons that the probe may use");
    field("f1", self.f1, "of the test part; empty where no probe was fitted");
    field("recall", self.recall, "the same");
    field("precision", self.precision, "the same; 0 where nothing was predicted");
    field("num_positive", self.n_positive, "sampled positive tokens that reached the expert, over all parts");
    field("num_negative", self.n_negative, "sampled negative tokens that reached it");
    field("kind", self.kind, "`routed`, `dense` (the one expert of a layer, which every token reaches) or `shared`",
          {.since = 2});
    field("category", self.category, "of the concept", {.since = 2});
    field(
        "status", self.status,
        "`ok`, `too_few` (fewer positives or negatives than `min_per_class`), `one_class` (a part lacks positives or "
        "negatives), `not_finite` (a neuron is NaN or infinite), `too_narrow` (fewer neurons than k), `not_converged` "
        "(scores are of the best fit found)",
        {.since = 2});
    field("n_steps", self.n_steps, "Newton steps", {.since = 2});
  }
};

// probe_controls.csv
struct ProbeControlRow {
  std::string variant;
  ProbeRow probe;
  std::optional<double> validation_f1;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("variant", self.variant,
          "`select` (60/20/20 by document; the only one with a validation part), `shuffled` (labels permuted among the "
          "expert's sampled tokens), `half_a` and `half_b` (disjoint halves of the documents), `shifted` (the other "
          "source), "
          "`matched` (dense layers: random subsets of neurons; `expert` numbers the subset)");
    ProbeRow::describe(self.probe, field);
    field("validation_f1", self.validation_f1, "of the validation part");
  }
};

// probe_experts.csv
struct ProbeExpertRow {
  ExpertId id;
  std::int64_t n_neurons = 0, n_tokens = 0;
  std::optional<double> mean_active_neurons;
  std::string status;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    ExpertId::describe(self.id, field);
    field("n_neurons", self.n_neurons, "of the expert");
    field("n_tokens", self.n_tokens, "sampled tokens that reached it");
    field("mean_active_neurons", self.mean_active_neurons,
          "mean over them of the neurons with |a| > `active_frac` x the largest |a| of the token in this expert");
    field("status", self.status, "`ok`, `no_tokens`");
  }
};

// The tables of a run of any schema, or a published file, whose `expert` may be the word `dense` (or `shared`), and
// which holds words
// ("Not Enough Samples", "NaN") where a number is missing. `path` may be compressed. Throw kInput naming file, row and
// column.
std::vector<ProbeRow> read_probes(const std::filesystem::path& path);
std::vector<ProbeControlRow> read_probe_controls(const std::filesystem::path& path);

// probe_samples.safetensors: the windows, and one entry a sampled token and concept.
struct ProbeSamples {
  std::int64_t n_tokens = 0, n_bounds = 0, n_windows = 0, n_items = 0;
  std::vector<std::int32_t> token_ids;
  std::vector<std::int64_t> window_begin;
  std::vector<std::int32_t> window_document, item_concept, item_document;
  std::vector<std::int64_t> item_token;
  std::vector<std::uint8_t> item_label, item_part;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& tensor) {
    tensor.size("N", self.n_tokens, "tokens of all windows");
    tensor.size("W+1", self.n_bounds, "bounds of windows");
    tensor.size("W", self.n_windows, "windows");
    tensor.size("I", self.n_items, "sampled pairs of token and concept");
    tensor("token_ids", self.token_ids, "N", "ids of the tokens");
    tensor("window_begin", self.window_begin, "W+1",
           "first token of each window, and the end: a window is one sequence that the model sees");
    tensor("window_document", self.window_document, "W", "document that a window is of");
    tensor("item_concept", self.item_concept, "I", "place in run.json's `concepts`");
    tensor("item_document", self.item_document, "I", "document that the token is of");
    tensor("item_token", self.item_token, "I", "place in `token_ids`");
    tensor("item_label", self.item_label, "I", "1: the token stands for the concept");
    tensor("item_part", self.item_part, "I", "0 train, 2 test, of the main probes in the default protocol");
  }
};

struct ProbeCorpusPart {
  std::string hash;
  std::vector<std::string> files;
  std::int64_t n_documents = 0, n_windows = 0, n_tokens_run = 0, n_tokens_sampled = 0;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("hash", self.hash, "of the text");
    field("files", self.files, "that were read");
    field("n_documents", self.n_documents, "that windows come from");
    field("n_windows", self.n_windows, "windows that were run");
    field("n_tokens_run", self.n_tokens_run, "tokens of all windows");
    field("n_tokens_sampled", self.n_tokens_sampled, "tokens whose neurons were kept");
  }
};

struct ConceptPart {
  std::string concept_name, category;
  std::int64_t n_positive = 0, n_negative = 0;
  std::string status;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("concept", self.concept_name, "name");
    field("category", self.category, "of the concept library");
    field("n_positive", self.n_positive, "sampled tokens that stand for it");
    field("n_negative", self.n_negative, "sampled tokens that do not");
    field("status", self.status, "`ok` or `never_occurs`");
  }
};

struct ProbeCounts {
  std::int64_t n_probes = 0, n_fitted = 0, n_not_converged = 0;
  std::optional<double> mean_active_neurons;
  std::int64_t n_fits_with_controls = 0;
  double seconds_fitting = 0;
  std::int64_t n_spilled_bytes = 0;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("n_probes", self.n_probes, "main probes");
    field("n_fitted", self.n_fitted, "of them fitted");
    field("n_not_converged", self.n_not_converged, "of them not to the end");
    field("mean_active_neurons", self.mean_active_neurons, "over experts but shared ones, weighted by tokens");
    field("n_fits_with_controls", self.n_fits_with_controls, "fits of the last sitting");
    field("seconds_fitting", self.seconds_fitting, "of the last sitting");
    field("n_spilled_bytes", self.n_spilled_bytes, "neurons that did not fit in memory and went to disk");
  }
};

// run.json of `moescope probe`.
struct ProbeRun {
  Head head;
  ModelPart model;
  ProbeCorpusPart corpus;
  std::vector<ConceptPart> concepts;
  ProbeCounts probe;
  std::string device, dtype;
  std::uint64_t seed = 0;
  WavesPart waves;
  MemoryPart memory;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    Head::describe(self.head, field);
    field("model", self.model, "what was probed");
    field("corpus", self.corpus, "the text");
    field("concepts", self.concepts, "list of {`concept`, `category`, `n_positive`, `n_negative`, `status`}");
    field("probe", self.probe, "counts of the probes");
    field("device", self.device, "of the pass");
    field("dtype", self.dtype, "in which the model ran");
    field("seed", self.seed, "of samples, splits and controls");
    field("waves", self.waves, "of the pass");
    field("memory", self.memory, "of the process");
  }
};

}  // namespace moescope::run
