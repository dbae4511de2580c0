#include "moescope/record/record.h"

#include <chrono>
#include <cmath>
#include <memory>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/engine/engine.h"
#include "moescope/io/file.h"
#include "moescope/record/lens.h"
#include "moescope/record/recorder.h"
#include "moescope/record/resume.h"
#include "moescope/record/run_json.h"
#include "moescope/record/tables.h"
#include "moescope/run/record_files.h"
#include "moescope/text/windows.h"

namespace moescope::record {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* kGoesOn = "state saved; the same command goes on";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void check(const RecordOptions& options) {
  check_options(options);
  if (options.n_reservoir < options.n_per_decile * kDeciles) {
    throw usage_error("{} is {}, expected at least {} times {} = {}", option_name("evidence-reservoir"),
                      options.n_reservoir, kDeciles, option_name("evidence-per-decile"), options.n_per_decile);
  }
  if (options.window > options.context) {
    throw usage_error("{} {} is longer than {} {}", option_name("window"), options.window, option_name("context"),
                      options.context);
  }
}

text::TokenCorpus load_corpus(const engine::OpenedModel& model, const RecordOptions& options, const Console& console) {
  const model::ModelConfig& config = model.config();
  text::CorpusWindowOptions windows;
  windows.n_tokens = options.n_tokens;
  windows.window = options.window;
  windows.context = std::min(options.context, config.n_ctx);
  windows.n_text_tokens = options.n_trace_tokens;
  windows.seed = options.seed;
  windows.shuffle = options.shuffle;
  windows.n_threads = model.machine().n_threads;
  if (windows.context < windows.window) {
    throw input_error("{} {} is longer than the model's context of {}", option_name("window"), options.window,
                      config.n_ctx);
  }
  const std::unique_ptr<io::DocumentReader> reader = io::open_corpus(options.corpus, options.corpus_options);
  return text::tokenize_corpus(*reader, model.tokenizer(), windows, console);
}

// Saves between waves, as often as max_save_frac allows, and always before it lets an interrupt through.
class Saver {
 public:
  Saver(const ResumeFolder& folder, Recorder& recorder, const nlohmann::json& identity, Coverage coverage,
        std::int64_t n_sequences, const RecordOptions& options)
      : folder_(folder),
        recorder_(recorder),
        identity_(identity),
        coverage_(coverage),
        n_sequences_(n_sequences),
        before_s_(coverage.seconds),
        options_(options) {}

  engine::Engine::Hooks hooks() {
    return {[this](std::int64_t next) { wave_end(next); }, [this] { between_batches(); }};
  }

  // Where the recording stands, after the last wave.
  const Coverage& coverage() const { return coverage_; }

 private:
  void wave_end(std::int64_t next_sequence) {
    coverage_.next_sequence = next_sequence;
    ++coverage_.n_waves;
    options_.wave_done(coverage_.n_waves);
    coverage_.seconds = before_s_ + seconds_since(start_) - saving_s_;
    const bool affordable = saving_s_ + last_save_s_ <= options_.max_save_frac * seconds_since(start_);
    // The last state is always saved: what follows the pass can be interrupted, too.
    if (affordable || interrupted() != 0 || next_sequence == n_sequences_) {
      const Clock::time_point begin = Clock::now();
      folder_.save(recorder_, identity_, coverage_);
      last_save_s_ = seconds_since(begin);
      saving_s_ += last_save_s_;
      is_saved_ = true;
    } else {
      is_saved_ = false;
    }
    throw_if_interrupted(kGoesOn);
  }

  // Within a wave, sums hold part of it: it may be abandoned only if the state before it is on disk.
  void between_batches() {
    if (is_saved_) throw_if_interrupted(kGoesOn);
  }

  const ResumeFolder& folder_;
  Recorder& recorder_;
  const nlohmann::json& identity_;
  Coverage coverage_;
  std::int64_t n_sequences_;
  double before_s_;
  const RecordOptions& options_;
  Clock::time_point start_ = Clock::now();
  double saving_s_ = 0, last_save_s_ = 0;
  bool is_saved_ = true;  // the state of the last wave's end, or there is nothing to lose
};

// Everything but the pass itself: result files in an order that leaves run.json, which says "complete", to the end.
void write_results(const RunFacts& facts, Recorder& recorder, const Console& console) {
  const RecordOptions& options = facts.options;
  const engine::OpenedModel& model = facts.model;
  const std::vector<std::string> pieces = vocabulary(model.tokenizer(), model.config().d_vocab);
  const std::vector<KeptWindow> windows = recorder.evidence().kept();
  const model::EmbeddingWeights embeddings = model.checkpoint().embeddings(model.dtype(), model.device());
  const std::vector<std::int32_t> promoted =
      promote(windows, embeddings, {options.lens_final_norm, model.device()}, console);
  console.status("writing tables");
  write_evidence(options.out, windows, promoted, facts.corpus, recorder.shape(), pieces);
  recorder.trace().assemble(options.out / "trace.safetensors", facts.corpus);
  recorder.input_tokens().write(options.out / "input_tokens.safetensors");
  write_coactivation(options.out, recorder);
  write_counter_tables(options.out, recorder, options.n_strongest);
  write_documents(options.out, facts.corpus, recorder.domains(), facts.n_traced);
  run::write_vocabulary(options.out, pieces);
  console.status("");
}

RecordSummary summarize(const RecordOptions& options, nlohmann::json run) {
  RecordSummary summary;
  summary.out = options.out;
  summary.n_never = run.value("n_experts_never", std::int64_t{0});
  summary.n_rare = run.value("n_experts_rare", std::int64_t{0});
  summary.run = std::move(run);
  return summary;
}

}  // namespace

void RecordOptions::describe(OptionList& list) {
  list.add("corpus", corpus, "text: file or folder (.txt .jsonl .json .parquet .conllu, .gz, .zst), or `system`",
           {.required = true, .positional = true, .in_identity = false});
  list.add("out", out, "run directory", {.required = true, .in_identity = false});
  corpus_options.describe(list);
  list.add("tokens", n_tokens, "of the corpus to run, 0: all", {.unit = "tokens", .least = 0});
  list.add("context", context, "tokens that the model sees together, at most its own limit",
           {.unit = "tokens", .least = 1});
  list.add("window", window, "tokens of an evidence window", {.unit = "tokens", .least = 1});
  list.add("shuffle", shuffle, "documents in a random order");
  list.add("seed", seed, "of every random choice");
  list.group("What is kept");
  list.add("evidence", n_strongest, "strongest windows of an expert", {.unit = "windows", .least = 1});
  list.add("evidence-reservoir", n_reservoir, "windows sampled for an expert, to tell the deciles of strength",
           {.unit = "windows", .least = 0});
  list.add("evidence-per-decile", n_per_decile, "of them kept", {.unit = "windows", .least = 0});
  list.add("trace-tokens", n_trace_tokens, "first tokens of the run whose routing is written",
           {.unit = "tokens", .least = 0});
  list.add("lens-final-norm", lens_final_norm, "promoted tokens through the final norm's scale");
  list.add("loss", loss, "mean next-token loss");
  list.group("Machine");
  list.add("wave-tokens", max_wave_tokens, "most tokens of a wave, 0: from the memory budget",
           {.unit = "tokens", .least = 0, .in_identity = false});
}

RecordSummary record(const engine::OpenedModel& model, const RecordOptions& options, const Console& console) {
  check(options);
  model.tokenizer();  // before anything is written
  run::create_run_directory(options.out);
  const text::TokenCorpus corpus = load_corpus(model, options, console);
  const std::int64_t n_traced = std::min(options.n_trace_tokens, static_cast<std::int64_t>(corpus.token_ids.size()));
  const RunFacts facts{model, options, corpus, n_traced};
  console.status("hashing the model");
  const nlohmann::json identity = identity_json(facts);
  const auto directory = run::RunDirectory::open(options.out, identity);
  console.status("");
  if (directory.standing() == run::RunDirectory::Standing::kComplete) {
    console.line(fmt::format("{}: the recording is complete, nothing to run", options.out.string()));
    if (options.last_step) run::finish_step(options.out);
    RecordSummary summary = summarize(options, directory.run());
    summary.already_complete = true;
    return summary;
  }
  const ResumeFolder resume(options.out);
  if (resume.has_state()) resume.check_identity(identity);
  directory.begin();

  RecorderOptions recorder_options;
  recorder_options.evidence = {options.n_strongest, options.n_reservoir, options.n_per_decile, options.window,
                               options.seed};
  recorder_options.n_traced = n_traced;
  recorder_options.loss = options.loss;
  recorder_options.dtype = model.dtype();
  Recorder recorder(model.config(), corpus, recorder_options, resume.path());
  Coverage coverage;
  const bool resumed = resume.has_state();
  if (resumed) {
    coverage = resume.load(recorder, identity);
    console.line(fmt::format("{}: going on after wave {}", options.out.string(), coverage.n_waves));
  }
  engine::Engine engine(model.checkpoint(), corpus,
                        model.engine_options(options.max_wave_tokens, options.max_batch_tokens), {&recorder});
  Saver saver(resume, recorder, identity, coverage, static_cast<std::int64_t>(corpus.sequences.size()), options);
  engine.run(coverage.next_sequence, saver.hooks(), console);
  write_results(facts, recorder, console);
  const run::Json run =
      run::to_json(record_run(facts, recorder, engine.plan(), engine.budget_bytes(), saver.coverage()));
  directory.finish(run, options.last_step);
  RecordSummary summary = summarize(options, run);
  summary.resumed = resumed;
  return summary;
}

std::string describe(const RecordSummary& summary) {
  const nlohmann::json& run = summary.run;
  const nlohmann::json& corpus = run.at("corpus");
  std::string text = fmt::format("{}: {} tokens of {} documents through {} layers of {} experts\n",
                                 summary.out.string(), with_thousands(corpus.at("n_tokens_run").get<std::int64_t>()),
                                 with_thousands(corpus.at("n_documents").get<std::int64_t>()),
                                 run.at("model").at("n_layers").get<std::int64_t>(),
                                 run.at("model").at("n_experts").get<std::int64_t>());
  if (run.at("tokens_per_s").is_number()) {
    text += fmt::format("{} tokens/s, {}", with_thousands(std::llround(run.at("tokens_per_s").get<double>())),
                        format_duration(run.at("seconds").get<double>()));
  }
  const nlohmann::json& memory = run.at("memory");
  if (memory.at("peak_bytes").is_number()) {
    text += fmt::format(", peak memory {} of {}", format_bytes(memory.at("peak_bytes").get<std::uint64_t>()),
                        format_bytes(memory.at("budget_bytes").get<std::uint64_t>()));
  }
  text += "\n";
  if (run.at("loss").at("mean_nats").is_number()) {
    text += fmt::format("loss {:.4f} nats, perplexity {:.2f}\n", run.at("loss").at("mean_nats").get<double>(),
                        run.at("loss").at("perplexity").get<double>());
  }
  for (const nlohmann::json& item : run.at("skipped")) {
    const std::string n = item.at("n").is_number() ? with_thousands(item.at("n").get<std::int64_t>()) + " " : "";
    text +=
        fmt::format("left out: {}{} ({})\n", n, item.at("what").get<std::string>(), item.at("why").get<std::string>());
  }
  return text;
}

}  // namespace moescope::record
