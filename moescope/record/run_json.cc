#include "moescope/record/run_json.h"

#include <cmath>

#include "moescope/io/option_json.h"
#include "moescope/machine/device.h"
#include "moescope/record/run_parts.h"
#include "moescope/record/tables.h"

namespace moescope::record {
namespace {

using nlohmann::json;

run::RecordCorpusPart corpus_part(const RunFacts& facts) {
  const text::TokenCorpus& corpus = facts.corpus;
  run::RecordCorpusPart part;
  part.name = facts.options.corpus;
  part.hash = corpus.hash;
  for (const auto& file : corpus.files) part.files.push_back(file.string());
  part.complete = corpus.complete;
  part.n_documents = static_cast<std::int64_t>(corpus.documents.size());
  part.n_empty = corpus.counts.n_empty;
  part.n_replaced_bytes = corpus.counts.n_replaced_bytes;
  part.n_bytes = corpus.counts.n_bytes;
  part.n_tokens_run = static_cast<std::int64_t>(corpus.token_ids.size());
  part.n_tokens_available = part.n_tokens_run + corpus.n_tokens_cut;
  return part;
}

std::vector<run::Skipped> skipped_parts(const RunFacts& facts, const RareExperts& rare, std::int64_t n_windows_wanted) {
  std::vector<run::Skipped> skipped;
  const auto add = [&](const char* what, std::int64_t n, const std::string& why) {
    run::add_skipped(skipped, what, n, why);
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
    skipped.push_back({"rest of the corpus", std::nullopt, "not read: tokens asked for were reached"});
  }
  return skipped;
}

run::LossPart loss_part(const LossSum& loss) {
  if (loss.n == 0) return {};
  const double mean = loss.sum_nats / static_cast<double>(loss.n);
  return {mean, std::exp(mean), loss.n};
}

}  // namespace

json settings_json(const RunFacts& facts, io::OptionChoice which) {
  RecordOptions options = facts.options;
  options.context = facts.corpus.context;  // lowered to the model's own
  json settings = io::settings_json(options, which);
  settings.update(io::settings_json(facts.model.choice(), which));
  settings.update(io::settings_json(facts.model.machine(), which));
  settings["dtype"] = machine::dtype_word(facts.model.dtype());
  return settings;
}

json identity_json(const RunFacts& facts) {
  json identity = settings_json(facts, io::OptionChoice::kIdentity);
  // Builds that left shared experts out made other files of the same settings.
  if (facts.model.config().d_shared > 0) identity["shared_experts"] = true;
  return run::make_identity("record", std::move(identity),
                            {{"model", facts.model.model_hash()},
                             {"tokenizer", facts.model.tokenizer_hash()},
                             {"corpus", facts.corpus.hash}});
}

run::RecordRun record_run(const RunFacts& facts, const Recorder& recorder, const engine::MemoryPlan& plan,
                          std::uint64_t budget_bytes, const Coverage& coverage) {
  const RecordOptions& options = facts.options;
  const RareExperts rare = count_rare(recorder, options.n_strongest);
  run::RecordRun run;
  run.head =
      run::make_head("record", options.invocation, settings_json(facts, io::OptionChoice::kAll), identity_json(facts));
  run.head.seconds = coverage.seconds;
  run.head.skipped = skipped_parts(facts, rare, options.n_strongest);
  run.model = model_part(facts.model.checkpoint(), facts.model.choice().model, facts.model.model_hash());
  run.tokenizer.hash = facts.model.tokenizer_hash();
  run.corpus = corpus_part(facts);
  run.device = facts.model.machine().device;
  run.dtype = machine::dtype_word(facts.model.dtype());
  run.seed = options.seed;
  run.window = facts.corpus.window;
  run.context = facts.corpus.context;
  run.n_traced = facts.n_traced;
  run.n_windows = facts.corpus.n_windows;
  run.n_experts_never = rare.n_never;
  run.n_experts_rare = rare.n_rare;
  run.waves = {coverage.n_waves, plan.wave_tokens};
  run.memory = memory_part(plan, budget_bytes);
  if (coverage.seconds > 0) run.tokens_per_s = static_cast<double>(run.corpus.n_tokens_run) / coverage.seconds;
  run.loss = loss_part(recorder.loss());
  return run;
}

}  // namespace moescope::record
