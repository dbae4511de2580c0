#include "moescope/analysis/probe/probe.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "moescope/analysis/probe/neuron_store.h"
#include "moescope/analysis/probe/probe_tables.h"
#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/base/interrupt.h"
#include "moescope/engine/engine.h"
#include "moescope/engine/memory.h"
#include "moescope/io/file.h"
#include "moescope/io/option_json.h"
#include "moescope/machine/device.h"
#include "moescope/record/run_parts.h"
#include "moescope/run/probe_files.h"

namespace moescope::analysis::probe {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr const char* kGoesOn = "layers that were done are saved; the same command goes on";

// A layer of one expert is dense, whatever its family is called.
bool is_one_block(const model::ModelConfig& config, std::int64_t layer) { return config.n_experts(layer) == 1; }

// Counts that go into run.json.
struct TextCounts {
  io::CorpusCounts corpus, shifted;
  io::TaggedCounts tagged;
  std::int64_t n_documents_not_read = 0;
  std::vector<std::string> files;
};

io::CorpusCounts add_corpus(SampleBuilder& builder, const std::string& corpus, std::int32_t source,
                            const ProbeOptions& options, TextCounts& counts) {
  const std::unique_ptr<io::DocumentReader> reader = io::open_corpus(corpus, options.corpus_options);
  std::int64_t n = 0;
  while (const std::optional<io::Document> document = reader->next()) {
    if (options.max_documents > 0 && n == options.max_documents) {
      ++counts.n_documents_not_read;  // at least one: the rest is not looked at
      break;
    }
    builder.add_document(*document, source);
    ++n;
    throw_if_interrupted("nothing was written yet; the same command starts again");
  }
  for (const fs::path& file : reader->files()) counts.files.push_back(file.string());
  return reader->counts();
}

void add_tagged(SampleBuilder& builder, const std::string& path, std::int32_t source, const ProbeOptions& options,
                TextCounts& counts) {
  const std::unique_ptr<io::TaggedReader> reader = io::open_tagged_text(path, options.tagged_options);
  while (const std::optional<io::TaggedSentence> sentence = reader->next()) builder.add_sentence(*sentence, source);
  const io::TaggedCounts& read = reader->counts();
  counts.tagged.n_sentences += read.n_sentences;
  counts.tagged.n_empty += read.n_empty;
  counts.tagged.n_unaligned += read.n_unaligned;
  counts.tagged.n_replaced_bytes += read.n_replaced_bytes;
  counts.files.push_back(path);
}

ProbeCorpus read_corpus(const engine::OpenedModel& model, const ProbeOptions& options,
                        const text::ConceptLibrary& concepts, TextCounts& counts) {
  SampleOptions sample = options.sample;
  sample.n_context = model.config().n_ctx;
  sample.seed = options.seed;
  sample.n_threads = model.machine().n_threads;
  SampleBuilder builder(model.tokenizer(), concepts, sample);
  if (!options.corpus.empty()) counts.corpus = add_corpus(builder, options.corpus, 0, options, counts);
  for (const fs::path& path : options.tagged) add_tagged(builder, path.string(), 0, options, counts);
  if (!options.shifted.empty()) counts.shifted = add_corpus(builder, options.shifted, 1, options, counts);
  for (const fs::path& path : options.shifted_tagged) add_tagged(builder, path.string(), 1, options, counts);
  ProbeCorpus corpus = builder.build();
  if (corpus.n_sampled == 0) throw input_error("no concept occurs in this text: there is nothing to probe");
  return corpus;
}

json settings_json(const engine::OpenedModel& model, const ProbeOptions& options, io::OptionChoice which) {
  json settings = io::settings_json(options, which);
  if (options.concepts.empty()) settings["concepts"] = "built in";
  settings.update(io::settings_json(model.choice(), which));
  settings.update(io::settings_json(model.machine(), which));
  return settings;
}

// What one probe run is made of; views its parts.
struct Run {
  const engine::OpenedModel& model;
  const ProbeOptions& options;
  const text::ConceptLibrary& concepts;
  const ProbeCorpus& corpus;
  const TextCounts& counts;
};

json identity_json(const Run& run) {
  ContentHasher hasher;
  for (std::size_t c = 0; c < run.concepts.size(); ++c) {
    const text::Concept& one = run.concepts.at(c);
    for (const auto* list : {&one.expressions, &one.tags}) {
      for (const std::string& item : *list) hasher.add(item + "\n");
    }
    hasher.add(one.name + "\n" + one.category + "\n");
  }
  json settings = settings_json(run.model, run.options, io::OptionChoice::kIdentity);
  settings["dtype"] = machine::dtype_word(run.model.dtype());
  // Builds that left shared experts out made other files of the same settings.
  if (run.model.config().d_shared > 0) settings["shared_experts"] = true;
  return run::make_identity("probe", std::move(settings),
                            {{"model", run.model.model_hash()},
                             {"tokenizer", run.model.tokenizer_hash()},
                             {"corpus", run.corpus.tokens.hash},
                             {"concepts", hasher.digest()}});
}

std::vector<std::int64_t> wanted_layers(const ProbeOptions& options, std::int64_t n_layers) {
  std::vector<std::int64_t> layers = options.layers;
  if (layers.empty()) {
    for (std::int64_t layer = 0; layer < n_layers; ++layer) layers.push_back(layer);
  }
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  if (layers.front() < 0 || layers.back() >= n_layers) {
    throw usage_error("option 'layers' names layer {}, the model has layers 0 to {}",
                      layers.front() < 0 ? layers.front() : layers.back(), n_layers - 1);
  }
  return layers;
}

// Fits one layer from what the tap collected, expert by expert, and saves it.
class LayerProber {
 public:
  LayerProber(const Run& run, const LayerFiles& files, const Console& console)
      : run_(run), files_(files), console_(console), fitter_(run.corpus, fit_options(run)) {}

  void operator()(std::int64_t layer, std::vector<CollectedExpert>& experts) {
    const Clock::time_point start = Clock::now();
    const model::ModelConfig& config = run_.model.config();
    std::vector<ProbeRecord> records;
    std::vector<run::ProbeExpertRow> expert_rows;
    for (std::size_t e = 0; e < experts.size(); ++e) {
      throw_if_interrupted(kGoesOn);
      ExpertNeurons expert;
      expert.layer = layer;
      expert.expert = static_cast<std::int64_t>(e);
      expert.is_shared = expert.expert == config.n_experts(layer);
      expert.is_dense = is_one_block(config, layer) && !expert.is_shared;
      expert.width = static_cast<std::int32_t>(expert.is_shared ? config.d_shared : config.d_hidden(layer));
      expert.rows = experts[e].rows;
      at::Tensor all = at::empty({static_cast<std::int64_t>(expert.rows.size()), expert.width}, at::kFloat);
      std::int64_t first = 0;
      for (at::Tensor& piece : experts[e].neurons) {
        all.narrow(0, first, piece.size(0)).copy_(piece);
        first += piece.size(0);
        piece.reset();
      }
      expert.neurons = {all.const_data_ptr<float>(), static_cast<std::size_t>(all.numel())};
      const std::vector<ProbeRecord> of_expert = fitter_.fit(expert);
      records.insert(records.end(), of_expert.begin(), of_expert.end());
      run::ProbeExpertRow& row = expert_rows.emplace_back();
      row.id = {layer, expert.expert, kind_of(expert.is_dense, expert.is_shared)};
      row.n_neurons = expert.width;
      row.n_tokens = static_cast<std::int64_t>(expert.rows.size());
      row.mean_active_neurons = fitter_.mean_active(expert);
      row.status = row.mean_active_neurons ? "ok" : "no_tokens";
      console_.status(fmt::format("layer {}: {} of {} experts probed", layer, e + 1, experts.size()));
    }
    files_.save(layer, probe_rows(records, run_.concepts), expert_rows);
    seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    n_fits_ += static_cast<std::int64_t>(records.size());
    console_.status("");
    console_.line(fmt::format("layer {}: {} probes of {} experts, {}", layer,
                              with_thousands(static_cast<std::int64_t>(records.size())), experts.size(),
                              format_duration(std::chrono::duration<double>(Clock::now() - start).count())));
  }

  double seconds() const { return seconds_; }
  std::int64_t n_fits() const { return n_fits_; }

 private:
  static FitOptions fit_options(const Run& run) {
    FitOptions fit = run.options.fit;
    fit.seed = run.options.seed;
    fit.n_threads = run.model.machine().n_threads;
    return fit;
  }

  const Run& run_;
  const LayerFiles& files_;
  const Console& console_;
  ExpertFitter fitter_;
  double seconds_ = 0;
  std::int64_t n_fits_ = 0;
};

std::vector<run::Skipped> skipped_parts(const Run& run, const LayerFiles::Counts& counts) {
  std::vector<run::Skipped> skipped;
  const auto add = [&](const char* what, std::int64_t n, const std::string& why) {
    run::add_skipped(skipped, what, n, why);
  };
  const TextCounts& text = run.counts;
  add("documents", text.corpus.n_empty + text.shifted.n_empty, "without text");
  add("corpora", text.n_documents_not_read,
      "not read to their end: the most documents that were asked for were reached");
  add("sentences", text.tagged.n_unaligned, "tags that do not align with the text");
  add("sentences", text.tagged.n_empty, "without words");
  add("bytes", text.corpus.n_replaced_bytes + text.shifted.n_replaced_bytes + text.tagged.n_replaced_bytes,
      "not UTF-8, replaced by U+FFFD");
  add("windows", run.corpus.n_without_token, "their text has no token");
  add("windows", run.corpus.n_cut, "cut: longer than the model's context");
  add("probes", counts.n_too_few,
      fmt::format("fewer than {} positives or negatives", run.options.fit.probe.min_per_class));
  add("probes", counts.n_other,
      "one class only in a part, values that are not numbers, or fewer neurons than k: see status");
  return skipped;
}

std::vector<run::ConceptPart> concept_parts(const Run& run) {
  std::vector<run::ConceptPart> parts;
  for (std::size_t c = 0; c < run.concepts.size(); ++c) {
    run::ConceptPart& part = parts.emplace_back();
    part.concept_name = run.concepts.at(c).name;
    part.category = run.concepts.at(c).category;
    for (const SampleToken& item : run.corpus.samples[c]) part.n_positive += item.label;
    part.n_negative = static_cast<std::int64_t>(run.corpus.samples[c].size()) - part.n_positive;
    part.status = part.n_positive > 0 ? "ok" : "never_occurs";
  }
  return parts;
}

// What the pass and the fits of this sitting came to.
struct Outcome {
  LayerFiles::Counts counts;
  engine::RunResult pass;
  std::int64_t n_spilled_bytes = 0, n_fits = 0;
  double seconds_fitting = 0;
};

run::ProbeRun probe_run(const Run& run, const json& identity, const Outcome& outcome) {
  const ProbeOptions& options = run.options;
  const LayerFiles::Counts& counts = outcome.counts;
  run::ProbeRun result;
  result.head =
      run::make_head("probe", options.invocation, settings_json(run.model, options, io::OptionChoice::kAll), identity);
  result.head.seconds = outcome.pass.seconds;
  result.head.skipped = skipped_parts(run, counts);
  result.model = record::model_part(run.model.checkpoint(), run.model.choice().model, run.model.model_hash());
  result.corpus = {run.corpus.tokens.hash,
                   run.counts.files,
                   run.corpus.n_documents,
                   static_cast<std::int64_t>(run.corpus.windows.size()),
                   static_cast<std::int64_t>(run.corpus.tokens.token_ids.size()),
                   run.corpus.n_sampled};
  result.concepts = concept_parts(run);
  result.probe = {counts.n_probes, counts.n_fitted,         counts.n_not_converged, counts.mean_active_neurons,
                  outcome.n_fits,  outcome.seconds_fitting, outcome.n_spilled_bytes};
  result.device = run.model.machine().device;
  result.dtype = machine::dtype_word(run.model.dtype());
  result.seed = options.seed;
  result.waves.n = outcome.pass.n_waves;
  result.memory.peak_bytes = engine::peak_resident_bytes();
  return result;
}

}  // namespace

ProbeSummary probe(const engine::OpenedModel& model, const ProbeOptions& options, const Console& console) {
  check(options);
  const text::ConceptLibrary concepts =
      options.concepts.empty() ? text::ConceptLibrary::built_in() : text::ConceptLibrary::load(options.concepts);
  const model::ModelConfig& config = model.config();
  const std::vector<std::int64_t> layers = wanted_layers(options, config.n_layers);
  if (options.fit.matched.width > 0 &&
      std::none_of(layers.begin(), layers.end(), [&](std::int64_t l) { return is_one_block(config, l); })) {
    throw usage_error("{} is a control for dense layers, and no layer that is probed is dense",
                      option_name("matched-width"));
  }
  console.status("reading the text");
  TextCounts counts;
  const ProbeCorpus corpus = read_corpus(model, options, concepts, counts);
  console.status("hashing the model");
  const Run run{model, options, concepts, corpus, counts};
  const json identity = identity_json(run);
  console.status("");

  const auto directory = run::RunDirectory::open(options.out, identity);
  if (directory.standing() == run::RunDirectory::Standing::kComplete) {
    console.line(fmt::format("{}: the probes are complete, nothing to run", options.out.string()));
    run::finish_step(options.out);
    return {options.out, directory.run(), true};
  }
  directory.begin();
  directory.claim();
  const LayerFiles files(directory.resume());
  std::vector<std::int64_t> left;
  std::copy_if(layers.begin(), layers.end(), std::back_inserter(left), [&](std::int64_t l) { return !files.has(l); });
  if (left.size() < layers.size()) {
    console.line(
        fmt::format("{}: going on, {} of {} layers are left", options.out.string(), left.size(), layers.size()));
  }
  LayerProber prober(run, files, console);
  Outcome outcome;
  if (!left.empty()) {
    NeuronStore store(config, corpus, left, model.dtype(), directory.resume(),
                      [&](std::int64_t layer, std::vector<CollectedExpert>& experts) { prober(layer, experts); });
    engine::Engine engine(model.checkpoint(), corpus.tokens,
                          model.engine_options(options.max_wave_tokens, options.max_batch_tokens), {&store});
    engine::Engine::Hooks hooks;
    hooks.between_batches = [] { throw_if_interrupted(kGoesOn); };
    outcome.pass = engine.run(0, hooks, console);
    outcome.n_spilled_bytes = store.n_spilled_bytes();
  }
  outcome.n_fits = prober.n_fits();
  outcome.seconds_fitting = prober.seconds();
  write_samples(options.out / "probe_samples.safetensors", corpus, options.seed);
  outcome.counts = files.assemble(layers, options.out);
  const run::Json result = run::to_json(probe_run(run, identity, outcome));
  directory.finish(result);
  return {options.out, result, false};
}

std::string describe(const ProbeSummary& summary) {
  const json& run = summary.run;
  const auto count = [](const json& value) { return with_thousands(value.get<std::int64_t>()); };
  std::string text =
      fmt::format("{}: {} tokens in {} windows of {} documents, {} tokens sampled\n", summary.out.string(),
                  count(run["corpus"]["n_tokens_run"]), count(run["corpus"]["n_windows"]),
                  count(run["corpus"]["n_documents"]), count(run["corpus"]["n_tokens_sampled"]));
  text += fmt::format("{} of {} probes fitted, {} not to the end; {} with controls in {}\n",
                      count(run["probe"]["n_fitted"]), count(run["probe"]["n_probes"]),
                      count(run["probe"]["n_not_converged"]), count(run["probe"]["n_fits_with_controls"]),
                      format_duration(run["probe"]["seconds_fitting"].get<double>()));
  for (const json& item : run["skipped"]) {
    const std::string n = item["n"].is_number() ? count(item["n"]) + " " : "";
    text += fmt::format("left out: {}{} ({})\n", n, item["what"].get<std::string>(), item["why"].get<std::string>());
  }
  std::string never;
  for (const json& item : run["concepts"]) {
    if (item["status"] == "never_occurs") never += (never.empty() ? "" : ", ") + item["concept"].get<std::string>();
  }
  if (!never.empty()) text += "never occur in this text: " + never + "\n";
  return text;
}

}  // namespace moescope::analysis::probe
