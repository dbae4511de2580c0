#include "moescope/analysis/superpose/passes.h"

#include <algorithm>
#include <numeric>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/io/run_directory.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
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

void require_model(const json& run, const fs::path& folder, const std::string& model_hash) {
  const json model = run.value("model", json::object());
  if (model.value("hash", "") != model_hash) {
    throw input_error("is a run of another model ({})", model.value("name", "unnamed")).at(folder.string());
  }
}

// Windows as sequences of their own; throws if bounds are not those of consecutive, non-empty windows.
text::TokenCorpus windows_as_corpus(const io::SafetensorsFile& file) {
  text::TokenCorpus corpus;
  corpus.token_ids = file.at("token_ids").to_vector<std::int32_t>();
  const std::vector<std::int64_t> begin = file.at("window_begin").to_vector<std::int64_t>();
  if (begin.size() < 2 || begin.front() != 0 || begin.back() != static_cast<std::int64_t>(corpus.token_ids.size())) {
    throw input_error("window_begin does not span token_ids").at(file.path().string());
  }
  for (std::size_t w = 0; w + 1 < begin.size(); ++w) {
    const std::int64_t n = begin[w + 1] - begin[w];
    if (n < 1 || n > std::int64_t{1} << 30) {
      throw input_error("window {} has {} tokens", w, n).at(file.path().string());
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

void use_concepts(Pass& pass, const io::SafetensorsFile& file) {
  const auto concept_of = file.at("item_concept").to_vector<std::int32_t>();
  const auto token_of = file.at("item_token").to_vector<std::int64_t>();
  const auto label = file.at("item_label").to_vector<std::uint8_t>();
  if (concept_of.size() != token_of.size() || concept_of.size() != label.size()) {
    throw input_error("item_concept, item_token and item_label differ in length").at(file.path().string());
  }
  std::vector<std::vector<std::int32_t>> of_token(pass.corpus.token_ids.size());
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (concept_of[i] < 0 || index(concept_of[i]) >= pass.classes.names.size() || token_of[i] < 0 ||
        index(token_of[i]) >= of_token.size()) {
      throw input_error("item {} names concept {} and token {}", i, concept_of[i], token_of[i])
          .at(file.path().string());
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

std::unique_ptr<Pass> probe_pass(const engine::OpenedModel& model, const fs::path& run, std::uint64_t seed,
                                 const Console& console) {
  const json facts = io::read_run_json(run);
  if (facts.value("command", "") != "probe") {
    throw input_error("is not a run of `moescope probe`").at(run.string());
  }
  require_model(facts, run, model.model_hash());
  auto pass = std::make_unique<Pass>();
  const io::SafetensorsFile file = io::SafetensorsFile::open(run / "probe_samples.safetensors");
  for (const json& one : facts.value("concepts", json::array()))
    pass->classes.names.push_back(one.value("concept", ""));
  pass->corpus = windows_as_corpus(file);
  use_concepts(*pass, file);
  pass->facts = {{"run", run.string()}, {"hash", facts["corpus"].value("hash", "")}};
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

Shares shares_of_run(const fs::path& run, const model::ModelConfig& config, const std::string& model_hash) {
  require_model(io::read_run_json(run), run, model_hash);
  const fs::path path = run / "experts.csv";
  const io::Table table = io::read_csv(path, {{{"layer", io::IntColumn()},
                                               {"expert", io::IntColumn()},
                                               {"n_tokens", io::IntColumn()},
                                               {"load_frac", io::RealColumn()},
                                               {"mean_weight", io::RealColumn()},
                                               {"mean_score", io::RealColumn()},
                                               {"mean_output_norm", io::RealColumn()},
                                               {"active_neuron_frac", io::RealColumn()},
                                               {"active_neuron_frac_01", io::RealColumn()},
                                               {"n_windows", io::IntColumn()},
                                               {"status", io::TextColumn()}}});
  const auto& layer = std::get<io::IntColumn>(table.at("layer").values);
  const auto& expert = std::get<io::IntColumn>(table.at("expert").values);
  const auto& load = std::get<io::RealColumn>(table.at("load_frac").values);
  Shares shares(index(config.n_layers));
  for (std::int64_t l = 0; l < config.n_layers; ++l) shares[index(l)].assign(index(config.n_experts(l)), -1);
  for (std::size_t row = 0; row < layer.size(); ++row) {
    const std::int64_t l = layer[row].value_or(-1), e = expert[row].value_or(-1);
    if (l < 0 || l >= config.n_layers || e < 0 || e >= config.n_experts(l)) {
      throw input_error("row {} is of layer {}, expert {}, which the model does not have", row + 1, l, e)
          .at(path.string());
    }
    const double share = load[row].value_or(0);
    if (!(share >= 0 && share <= 1)) throw input_error("row {} has load_frac {}", row + 1, share).at(path.string());
    shares[index(l)][index(e)] = share;
  }
  for (std::size_t l = 0; l < shares.size(); ++l) {
    const auto absent = std::find(shares[l].begin(), shares[l].end(), -1.0);
    if (absent != shares[l].end()) {
      throw input_error("no row for layer {}, expert {}", l, absent - shares[l].begin()).at(path.string());
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
