#include "moescope/analysis/superpose/passes.h"

#include <algorithm>
#include <numeric>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/probe_files.h"
#include "moescope/run/record_files.h"
#include "moescope/text/windows.h"

namespace moescope::analysis::superpose {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

void run_pass(Pass& pass, const engine::OpenedModel& model, std::uint64_t seed, const Console& console) {
  pass.means = std::make_unique<ClassMeans>(model.config(), pass.classes, seed);
  engine::Engine engine(model.checkpoint(), pass.corpus, model.engine_options(), {pass.means.get()});
  engine::Engine::Hooks hooks;
  hooks.between_batches = [] { throw_if_interrupted("nothing was written; the same command starts again"); };
  const engine::RunResult result = engine.run(0, hooks, console);
  pass.facts["n_tokens_run"] = result.n_tokens;
  pass.facts["n_waves"] = result.n_waves;
  pass.facts["seconds"] = result.seconds;
  pass.facts["n_classes"] = pass.classes.names.size();
  pass.facts["n_tokens_alone"] = pass.means->n_alone();
}

void use_frequent_tokens(Pass& pass, std::int64_t d_vocab, std::int64_t n_classes) {
  std::vector<std::int64_t> counts(index(d_vocab), 0), ids(index(d_vocab));
  for (const std::int32_t id : pass.corpus.token_ids) ++counts.at(static_cast<std::size_t>(id));
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(),
                   [&](std::int64_t a, std::int64_t b) { return counts[index(a)] > counts[index(b)]; });
  std::erase_if(ids, [&](std::int64_t id) { return counts[index(id)] == 0; });
  if (static_cast<std::int64_t>(ids.size()) > n_classes) ids.resize(index(n_classes));
  TokenClasses& classes = pass.classes;
  classes.of_token_id.assign(index(d_vocab), -1);
  for (const std::int64_t id : ids) {
    classes.of_token_id[index(id)] = static_cast<std::int32_t>(classes.names.size());
    classes.names.push_back(std::to_string(id));
  }
  classes.begin.push_back(0);
  for (const std::int32_t id : pass.corpus.token_ids) {
    const std::int32_t one = classes.of_token_id[static_cast<std::size_t>(id)];
    if (one >= 0) classes.classes.push_back(one);
    classes.begin.push_back(static_cast<std::int64_t>(classes.classes.size()));
  }
  pass.class_token_ids = std::move(ids);
}

// Windows as sequences of their own; throws if bounds are not those of consecutive, non-empty windows.
text::TokenCorpus windows_as_corpus(const run::ProbeSamples& samples, const fs::path& path) {
  text::TokenCorpus corpus;
  corpus.token_ids = samples.token_ids;
  const std::vector<std::int64_t>& begin = samples.window_begin;
  if (begin.size() < 2 || begin.front() != 0 || begin.back() != static_cast<std::int64_t>(corpus.token_ids.size())) {
    throw input_error("window_begin does not span token_ids").at(path.string());
  }
  for (std::size_t w = 0; w + 1 < begin.size(); ++w) {
    const std::int64_t n = begin[w + 1] - begin[w];
    if (n < 1 || n > std::int64_t{1} << 30) {
      throw input_error("window {} has {} tokens", w, n).at(path.string());
    }
    text::TokenizedDocument document;
    document.corpus_idx = static_cast<std::int64_t>(w);
    document.first_token = begin[w];
    document.n_tokens = n;
    text::Sequence sequence;
    sequence.first_token = begin[w];
    sequence.first_window = corpus.n_windows++;
    sequence.n_tokens = static_cast<std::int32_t>(n);
    sequence.doc_idx = static_cast<std::int32_t>(w);
    corpus.documents.push_back(std::move(document));
    corpus.sequences.push_back(sequence);
    corpus.context = std::max(corpus.context, n);
  }
  corpus.window = corpus.context;
  return corpus;
}

void use_concepts(Pass& pass, const run::ProbeSamples& samples, const fs::path& path) {
  const std::vector<std::int32_t>& concept_of = samples.item_concept;
  const std::vector<std::int64_t>& token_of = samples.item_token;
  const std::vector<std::uint8_t>& label = samples.item_label;
  std::vector<std::vector<std::int32_t>> of_token(pass.corpus.token_ids.size());
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (concept_of[i] < 0 || index(concept_of[i]) >= pass.classes.names.size() || token_of[i] < 0 ||
        index(token_of[i]) >= of_token.size()) {
      throw input_error("item {} names concept {} and token {}", i, concept_of[i], token_of[i]).at(path.string());
    }
    if (label[i] != 0) of_token[index(token_of[i])].push_back(concept_of[i]);
  }
  pass.classes.begin.push_back(0);
  for (std::vector<std::int32_t>& concepts : of_token) {
    std::sort(concepts.begin(), concepts.end());
    concepts.erase(std::unique(concepts.begin(), concepts.end()), concepts.end());
    pass.classes.classes.insert(pass.classes.classes.end(), concepts.begin(), concepts.end());
    pass.classes.begin.push_back(static_cast<std::int64_t>(pass.classes.classes.size()));
  }
}

}  // namespace

std::unique_ptr<Pass> text_pass(const engine::OpenedModel& model, const TextPassOptions& options,
                                const Console& console) {
  auto pass = std::make_unique<Pass>();
  const text::Tokenizer& tokenizer = model.tokenizer();
  text::CorpusWindowOptions windows;
  windows.n_tokens = options.n_tokens;
  windows.context = std::min(options.context, model.config().n_ctx);
  windows.window = std::min<std::int64_t>(windows.window, windows.context);
  windows.seed = options.seed;
  windows.n_threads = model.machine().n_threads;
  const std::unique_ptr<io::DocumentReader> reader = io::open_corpus(options.corpus, options.corpus_options);
  pass->corpus = text::tokenize_corpus(*reader, tokenizer, windows, console);
  use_frequent_tokens(*pass, model.config().d_vocab, options.n_classes);
  pass->facts = {{"corpus", options.corpus},
                 {"hash", pass->corpus.hash},
                 {"complete", pass->corpus.complete},
                 {"n_documents", pass->corpus.documents.size()},
                 {"n_empty", pass->corpus.counts.n_empty},
                 {"n_replaced_bytes", pass->corpus.counts.n_replaced_bytes}};
  run_pass(*pass, model, options.seed, console);
  return pass;
}

std::unique_ptr<Pass> probe_pass(const engine::OpenedModel& model, const fs::path& folder, std::uint64_t seed,
                                 const Console& console) {
  const json facts = run::read_run_json(folder, "probe");
  run::require_model(facts, folder, model.model_hash());
  auto pass = std::make_unique<Pass>();
  for (const json& one : facts.value("concepts", json::array())) {
    pass->classes.names.push_back(one.value("concept", ""));
  }
  const fs::path path = folder / "probe_samples.safetensors";
  const auto samples = run::read_tensors<run::ProbeSamples>(io::SafetensorsFile::open(path));
  pass->corpus = windows_as_corpus(samples, path);
  use_concepts(*pass, samples, path);
  pass->facts = {{"run", folder.string()}, {"hash", facts["corpus"].value("hash", "")}};
  run_pass(*pass, model, seed, console);
  return pass;
}

Shares shares_of(const ClassMeans& means, const model::ModelConfig& config) {
  Shares shares(index(config.n_layers));
  for (std::int64_t layer = 0; layer < config.n_layers; ++layer) {
    double sum = 0;
    for (std::int64_t e = 0; e < config.n_experts(layer); ++e) {
      shares[index(layer)].push_back(static_cast<double>(means.of(layer, e).n_tokens));
      sum += shares[index(layer)].back();
    }
    for (double& share : shares[index(layer)]) share /= sum;
  }
  return shares;
}

Shares shares_of_run(const fs::path& folder, const model::ModelConfig& config, const std::string& model_hash) {
  const json facts = run::read_run_json(folder, "record");
  run::require_model(facts, folder, model_hash);
  Shares shares(index(config.n_layers));
  for (std::int64_t l = 0; l < config.n_layers; ++l) shares[index(l)].assign(index(config.n_experts(l)), -1);
  const std::vector<run::ExpertRow> rows = run::read_experts(folder, run::model_of(facts, folder));
  const std::string path = (folder / "experts.csv").string();
  for (const run::ExpertRow& row : rows) {
    if (row.id.kind == run::kShared) continue;  // it is no part of the router's decisions
    const std::int64_t l = row.id.layer, e = row.id.expert;
    if (l >= config.n_layers || e >= config.n_experts(l)) {
      throw input_error("layer {}, expert {}, which the model does not have", l, e).at(path);
    }
    shares[index(l)][index(e)] = row.load_frac.value_or(0);
  }
  for (std::size_t l = 0; l < shares.size(); ++l) {
    const auto absent = std::find(shares[l].begin(), shares[l].end(), -1.0);
    if (absent != shares[l].end()) {
      throw input_error("no row for layer {}, expert {}", l, absent - shares[l].begin()).at(path);
    }
  }
  return shares;
}

Shares equal_shares(const model::ModelConfig& config) {
  Shares shares;
  for (std::int64_t layer = 0; layer < config.n_layers; ++layer) {
    const std::int64_t n = config.n_experts(layer);
    shares.emplace_back(index(n), 1.0 / static_cast<double>(n));
  }
  return shares;
}

}  // namespace moescope::analysis::superpose
