// run.json: what a run of every kind says about itself. The parts are plain structs, filled by those who know them; the
// run.json of a kind is the head and its parts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/run/json_value.h"
#include "moescope/run/run_directory.h"

namespace moescope::run {

// Something that was left out, cut or replaced: nothing is skipped in silence.
struct Skipped {
  std::string what;
  std::optional<std::int64_t> n;
  std::string why;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("what", self.what, "documents, bytes, experts, ...");
    field("n", self.n, "how many; null where it is not counted");
    field("why", self.why, "the reason");
  }
};
// Adds one if n is above 0.
void add_skipped(std::vector<Skipped>& skipped, const char* what, std::int64_t n, const std::string& why);

// What run.json of every kind begins with.
struct Head {
  int schema = kSchema;
  std::string tool_version;
  std::string command;
  std::vector<std::string> command_line;
  std::optional<std::string> date;
  nlohmann::json settings, identity;
  double seconds = 0;
  std::vector<Skipped> skipped;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("schema", self.schema, "version of the form of the run directory");
    field("tool_version", self.tool_version, "of moescope", {.since = 2});
    field("command", self.command, "the kind of run: record, probe, superpose, toy");
    field("command_line", self.command_line,
          "the program's arguments, its name first; empty if a library call made the run", {.since = 2});
    field("date", self.date, "when the run was begun, UTC: 2026-11-25T10:47:00Z", {.since = 2});
    field("settings", self.settings, "every option after defaults");
    field("identity", self.identity,
          "the settings and hashes that make the results: a folder of another identity is never touched, and a stopped "
          "run "
          "goes on only with the same",
          {.since = 2});
    field("seconds", self.seconds, "of running, over all sittings");
    field("skipped", self.skipped, "what was left out: a list of objects of `what`, `n`, `why`", {.since = 2});
  }
};

// The head of a run that begins now; seconds and skipped are filled at its end.
Head make_head(const std::string& command, const Invocation& invocation, const nlohmann::json& settings,
               const nlohmann::json& identity);

struct ModelPart {
  std::string name, family;
  std::int64_t n_layers = 0, n_experts = 0, n_experts_per_token = 0;
  std::int64_t d_model = 0, d_expert = 0, d_shared = 0;
  std::vector<std::int64_t> dense_layers;
  std::int64_t d_vocab = 0;
  std::optional<std::int64_t> n_parameters, n_active_parameters;
  std::optional<std::string> dtype;
  std::string hash;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    const FieldRules not_always{.since = 2};
    field("name", self.name, "as asked for", not_always);
    field("family", self.family, "architecture", not_always);
    field("n_layers", self.n_layers, "layers");
    field("n_experts", self.n_experts, "routed experts of a layer");
    field("n_experts_per_token", self.n_experts_per_token, "routed experts that a token reaches");
    field("d_model", self.d_model, "width of the residual stream", not_always);
    field("d_expert", self.d_expert, "neurons of a routed expert", not_always);
    field("d_shared", self.d_shared, "neurons of the shared expert; 0 without one", not_always);
    field("dense_layers", self.dense_layers, "layers of one expert, 0, that every token reaches", not_always);
    field("d_vocab", self.d_vocab, "rows of the embedding", not_always);
    field("n_parameters", self.n_parameters, "of the model");
    field("n_active_parameters", self.n_active_parameters, "that a token passes");
    field("dtype", self.dtype, "in which the checkpoint is stored");
    field("hash", self.hash, "of the checkpoint's files", not_always);
  }
};

// The model of a run of any schema, with sizes that no real model exceeds (a damaged file must not ask for all memory).
// Throws kInput naming run.json and key.
ModelPart model_of(const nlohmann::json& run, const std::filesystem::path& folder);
// Throws kInput unless the run is of the model with this hash.
void require_model(const nlohmann::json& run, const std::filesystem::path& folder, const std::string& model_hash);

struct TokenizerPart {
  std::string hash;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("hash", self.hash, "of tokenizer.json");
  }
};

struct WavesPart {
  std::int64_t n = 0;
  std::optional<std::int64_t> tokens;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("n", self.n, "waves of the pass");
    field("tokens", self.tokens, "most tokens of a wave");
  }
};

struct MemoryPlanPart {
  std::uint64_t before_run_bytes = 0, weight_bytes = 0, wave_bytes = 0, batch_bytes = 0, tap_bytes = 0;
  std::int64_t wave_tokens = 0, batch_tokens = 0;
  bool keep_layers = false;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("before_run_bytes", self.before_run_bytes, "resident before the pass");
    field("weight_bytes", self.weight_bytes, "weights that are resident together");
    field("wave_bytes", self.wave_bytes, "residuals of a wave");
    field("batch_bytes", self.batch_bytes, "activations of a batch");
    field("tap_bytes", self.tap_bytes, "what the taps keep");
    field("wave_tokens", self.wave_tokens, "tokens of a wave");
    field("batch_tokens", self.batch_tokens, "tokens of a batch");
    field("keep_layers", self.keep_layers, "whether all layers stay resident");
  }
};

struct MemoryPart {
  std::optional<std::uint64_t> budget_bytes, planned_bytes, peak_bytes;
  std::optional<MemoryPlanPart> plan;
  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("budget_bytes", self.budget_bytes, "what the pass may take: on a GPU the card's memory");
    field("planned_bytes", self.planned_bytes, "what the plan comes to");
    field("peak_bytes", self.peak_bytes, "largest resident size of the process");
    field("plan", self.plan, "its parts");
  }
};

}  // namespace moescope::run
