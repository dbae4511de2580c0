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
#include "moescope/io/option_json.h"
#include "moescope/io/run_directory.h"
#include "moescope/machine/device.h"

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

json settings_json(const engine::OpenedModel& model, const ProbeOptions& options, io::Settings which) {
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
  json identity = settings_json(run.model, run.options, io::Settings::kIdentity);
  identity["command"] = "probe";
  identity["dtype"] = machine::dtype_word(run.model.dtype());
  identity["model_hash"] = run.model.model_hash();
  identity["tokenizer_hash"] = run.model.tokenizer_hash();
  identity["corpus_hash"] = run.corpus.tokens.hash;
  identity["concepts_hash"] = hasher.digest();
  // Builds that left shared experts out made other files of the same settings.
  if (run.model.config().d_shared > 0) identity["shared_experts"] = true;
  return identity;
}

void require_same(const json& found, const json& wanted, const fs::path& folder) {
  if (found == wanted) return;
  std::string keys;
  for (const auto& [key, value] : wanted.items()) {
    if (!found.is_object() || !found.contains(key) || found[key] != value) keys += (keys.empty() ? "" : ", ") + key;
  }
  throw input_error("holds another run (it differs in {})", keys.empty() ? "its settings" : keys)
      .at(folder.string())
      .hint("name a new folder with option 'out'");
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
    std::vector<ExpertRecord> expert_records;
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
      expert_records.push_back({layer, expert.expert, kind_of(expert), expert.width,
                                static_cast<std::int64_t>(expert.rows.size()), fitter_.mean_active(expert)});
      console_.status(fmt::format("layer {}: {} of {} experts probed", layer, e + 1, experts.size()));
    }
    files_.save(layer, record_table(records, run_.concepts), expert_table(expert_records));
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

json skipped_json(const Run& run, const LayerFiles::Counts& counts) {
  json skipped = json::array();
  const auto add = [&](const char* what, std::int64_t n, const std::string& why) {
    if (n > 0) skipped.push_back({{"what", what}, {"n", n}, {"why", why}});
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

json concepts_json(const Run& run) {
  json list = json::array();
  for (std::size_t c = 0; c < run.concepts.size(); ++c) {
    std::int64_t n_positive = 0;
    for (const SampleToken& item : run.corpus.samples[c]) n_positive += item.label;
    const auto n = static_cast<std::int64_t>(run.corpus.samples[c].size());
    list.push_back({{"concept", run.concepts.at(c).name},
                    {"category", run.concepts.at(c).category},
                    {"n_positive", n_positive},
                    {"n_negative", n - n_positive},
                    {"status", n_positive > 0 ? "ok" : "never_occurs"}});
  }
  return list;
}

json run_json(const Run& run, const json& identity, const LayerFiles::Counts& counts, const LayerProber& prober,
              const engine::RunResult& pass, std::int64_t n_spilled_bytes) {
  const model::ModelConfig& config = run.model.config();
  json result = {{"schema", io::kRunSchemaVersion},
                 {"command", "probe"},
                 {"settings", settings_json(run.model, run.options, io::Settings::kAll)}};
  result["settings"]["revision"] = run.model.choice().revision;
  result["identity"] = identity;
  result["model"] = {{"name", run.model.choice().model},
                     {"family", config.family},
                     {"n_layers", config.n_layers},
                     {"n_experts", config.router.n_experts},
                     {"n_experts_per_token", config.router.n_experts_per_token},
                     {"d_model", config.d_model},
                     {"d_expert", config.d_expert},
                     {"d_shared", config.d_shared},
                     {"n_parameters", config.n_parameters()},
                     {"n_active_parameters", config.n_active_parameters()},
                     {"hash", identity["model_hash"]}};
  result["corpus"] = {{"hash", run.corpus.tokens.hash},
                      {"files", run.counts.files},
                      {"n_documents", run.corpus.n_documents},
                      {"n_windows", run.corpus.windows.size()},
                      {"n_tokens_run", run.corpus.tokens.token_ids.size()},
                      {"n_tokens_sampled", run.corpus.n_sampled}};
  result["concepts"] = concepts_json(run);
  result["probe"] = {{"n_probes", counts.n_probes},
                     {"n_fitted", counts.n_fitted},
                     {"n_not_converged", counts.n_not_converged},
                     {"mean_active_neurons", counts.mean_active_neurons ? json(*counts.mean_active_neurons) : json()},
                     {"n_fits_with_controls", prober.n_fits()},
                     {"seconds_fitting", prober.seconds()},
                     {"n_spilled_bytes", n_spilled_bytes}};
  result["device"] = run.model.machine().device;
  result["dtype"] = machine::dtype_word(run.model.dtype());
  result["seed"] = run.options.seed;
  result["waves"] = {{"n", pass.n_waves}};
  result["seconds"] = pass.seconds;
  const auto peak = engine::peak_resident_bytes();
  result["memory"] = {{"peak_bytes", peak ? json(*peak) : json()}};
  result["skipped"] = skipped_json(run, counts);
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

  io::create_run_directory(options.out);
  if (fs::exists(options.out / "run.json")) {
    json found = io::read_run_json(options.out);
    require_same(found.value("identity", json::object()), identity, options.out);
    console.line(fmt::format("{}: the probes are complete, nothing to run", options.out.string()));
    return {options.out, std::move(found), true};
  }
  const fs::path resume = options.out / "resume";
  if (fs::exists(resume)) {
    require_same(fs::exists(resume / "probe.json") ? io::read_json(resume / "probe.json") : json(), identity,
                 options.out);
  } else {
    fs::create_directories(resume);
    io::write_file_atomically(resume / "probe.json", identity.dump(2) + "\n");
  }
  fs::remove(options.out / "DONE");
  const LayerFiles files(resume);
  std::vector<std::int64_t> left;
  std::copy_if(layers.begin(), layers.end(), std::back_inserter(left), [&](std::int64_t l) { return !files.has(l); });
  if (left.size() < layers.size()) {
    console.line(
        fmt::format("{}: going on, {} of {} layers are left", options.out.string(), left.size(), layers.size()));
  }
  LayerProber prober(run, files, console);
  engine::RunResult pass;
  std::int64_t n_spilled_bytes = 0;
  if (!left.empty()) {
    NeuronStore store(config, corpus, left, model.dtype(), resume,
                      [&](std::int64_t layer, std::vector<CollectedExpert>& experts) { prober(layer, experts); });
    engine::Engine engine(model.checkpoint(), corpus.tokens,
                          model.engine_options(options.max_wave_tokens, options.max_batch_tokens), {&store});
    engine::Engine::Hooks hooks;
    hooks.between_batches = [] { throw_if_interrupted(kGoesOn); };
    pass = engine.run(0, hooks, console);
    n_spilled_bytes = store.n_spilled_bytes();
  }
  write_samples(options.out / "probe_samples.safetensors", corpus, options.seed);
  const LayerFiles::Counts totals = files.assemble(layers, options.out);
  json result = run_json(run, identity, totals, prober, pass, n_spilled_bytes);
  io::write_file_atomically(options.out / "run.json", result.dump(2) + "\n");
  fs::remove_all(resume);
  io::write_file_atomically(options.out / "DONE", "");
  return {options.out, std::move(result), false};
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
