#include "moescope/record/run_json.h"

#include <cmath>

#include "moescope/engine/memory.h"
#include "moescope/io/option_json.h"
#include "moescope/io/run_directory.h"
#include "moescope/machine/device.h"
#include "moescope/record/lens.h"
#include "moescope/record/tables.h"

namespace moescope::record {
namespace {

using nlohmann::json;

json model_json(const RunFacts& facts) {
  const model::ModelConfig& config = facts.model.config();
  json dense = json::array();
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    if (config.is_dense(l)) dense.push_back(l);
  }
  return {{"name", facts.model.choice().model},
          {"family", config.family},
          {"n_layers", config.n_layers},
          {"n_experts", config.router.n_experts},
          {"n_experts_per_token", config.router.n_experts_per_token},
          {"d_model", config.d_model},
          {"d_expert", config.d_expert},
          {"d_shared", config.d_shared},
          {"dense_layers", dense},
          {"d_vocab", config.d_vocab},
          {"n_parameters", config.n_parameters()},
          {"n_active_parameters", config.n_active_parameters()},
          {"dtype", machine::dtype_word(facts.model.checkpoint().stored_dtype())},
          {"hash", facts.model.model_hash()}};
}

json corpus_json(const RunFacts& facts) {
  const text::TokenCorpus& corpus = facts.corpus;
  json files = json::array();
  for (const auto& file : corpus.files) files.push_back(file.string());
  const auto n_run = static_cast<std::int64_t>(corpus.token_ids.size());
  return {{"name", facts.options.corpus},
          {"hash", corpus.hash},
          {"files", files},
          {"complete", corpus.complete},
          {"n_documents", corpus.documents.size()},
          {"n_empty", corpus.counts.n_empty},
          {"n_replaced_bytes", corpus.counts.n_replaced_bytes},
          {"n_bytes", corpus.counts.n_bytes},
          {"n_tokens_available", n_run + corpus.n_tokens_cut},
          {"n_tokens_run", n_run}};
}

json skipped_json(const RunFacts& facts, const RareExperts& rare, std::int64_t n_windows_wanted) {
  json skipped = json::array();
  const auto add = [&](const char* what, std::int64_t n, const std::string& why) {
    if (n > 0) skipped.push_back({{"what", what}, {"n", n}, {"why", why}});
  };
  const text::TokenCorpus& corpus = facts.corpus;
  add("documents", corpus.counts.n_empty, "without text");
  add("files", corpus.counts.n_other_files, "of a kind that is not taken");
  add("files", corpus.counts.n_binary, "no text");
  add("files", corpus.counts.n_duplicates, "equal to one that was taken");
  add("files", corpus.counts.n_unreadable, "cannot be opened, broken, or longer than a document may be");
  add("documents", corpus.counts.n_shortened, "only their beginning was taken, so that none crowds out the rest");
  add("documents", corpus.n_documents_without_tokens, "their text has no token");
  add("documents", corpus.n_documents_not_run, "read, but behind the last token asked for");
  add("tokens", corpus.n_tokens_cut, "of the last document that was run, behind the last token asked for");
  add("bytes", corpus.counts.n_replaced_bytes, "not UTF-8, replaced by U+FFFD");
  add("experts", rare.n_never, "no token reached them");
  add("experts", rare.n_rare, fmt::format("fewer than {} windows: kept with what they have", n_windows_wanted));
  if (!corpus.complete) {
    skipped.push_back(
        {{"what", "rest of the corpus"}, {"n", nullptr}, {"why", "not read: tokens asked for were reached"}});
  }
  return skipped;
}

json memory_json(const engine::MemoryPlan& plan, std::uint64_t budget_bytes) {
  json memory = {{"budget_bytes", budget_bytes},
                 {"planned_bytes", plan.total_bytes()},
                 {"plan",
                  {{"before_run_bytes", plan.resident_bytes},
                   {"weight_bytes", plan.weight_bytes},
                   {"wave_bytes", plan.wave_bytes},
                   {"batch_bytes", plan.batch_bytes},
                   {"tap_bytes", plan.tap_bytes},
                   {"wave_tokens", plan.wave_tokens},
                   {"batch_tokens", plan.batch_tokens},
                   {"keep_layers", plan.keep_layers}}}};
  if (const auto peak = engine::peak_resident_bytes()) {
    memory["peak_bytes"] = *peak;
  } else {
    memory["peak_bytes"] = nullptr;
  }
  return memory;
}

json loss_json(const LossSum& loss) {
  if (loss.n == 0) return {{"mean_nats", nullptr}, {"perplexity", nullptr}, {"n", 0}};
  const double mean = loss.sum_nats / static_cast<double>(loss.n);
  return {{"mean_nats", mean}, {"perplexity", std::exp(mean)}, {"n", loss.n}};
}

}  // namespace

json settings_json(const RunFacts& facts, io::Settings which) {
  RecordOptions options = facts.options;
  options.context = facts.corpus.context;  // lowered to the model's own
  json settings = io::settings_json(options, which);
  settings.update(io::settings_json(facts.model.choice(), which));
  settings.update(io::settings_json(facts.model.machine(), which));
  settings["dtype"] = machine::dtype_word(facts.model.dtype());
  return settings;
}

json identity_json(const RunFacts& facts) {
  json identity = settings_json(facts, io::Settings::kIdentity);
  identity["model hash"] = facts.model.model_hash();
  identity["tokenizer hash"] = facts.model.tokenizer_hash();
  identity["corpus hash"] = facts.corpus.hash;
  // Builds that left shared experts out made other files of the same settings.
  if (facts.model.config().d_shared > 0) identity["shared_experts"] = true;
  return identity;
}

json run_json(const RunFacts& facts, const Recorder& recorder, const engine::MemoryPlan& plan,
              std::uint64_t budget_bytes, const Standing& standing) {
  const RecordOptions& options = facts.options;
  const auto n_run = static_cast<double>(facts.corpus.token_ids.size());
  const RareExperts rare = count_rare(recorder, options.n_strongest);
  return {{"schema", io::kRunSchemaVersion},
          {"tool_version", MOESCOPE_VERSION},
          {"command", "record"},
          {"settings", settings_json(facts, io::Settings::kAll)},
          {"identity", identity_json(facts)},
          {"model", model_json(facts)},
          {"tokenizer", {{"hash", facts.model.tokenizer_hash()}}},
          {"corpus", corpus_json(facts)},
          {"device", facts.model.machine().device},
          {"dtype", machine::dtype_word(facts.model.dtype())},
          {"seed", options.seed},
          {"window", facts.corpus.window},
          {"context", facts.corpus.context},
          {"n_traced", facts.n_traced},
          {"n_windows", facts.corpus.n_windows},
          {"n_experts_never", rare.n_never},
          {"n_experts_rare", rare.n_rare},
          {"waves", {{"n", standing.n_waves}, {"tokens", plan.wave_tokens}}},
          {"memory", memory_json(plan, budget_bytes)},
          {"seconds", standing.seconds},
          {"tokens_per_s", standing.seconds > 0 ? json(n_run / standing.seconds) : json()},
          {"loss", loss_json(recorder.loss())},
          {"skipped", skipped_json(facts, rare, options.n_strongest)}};
}

}  // namespace moescope::record
