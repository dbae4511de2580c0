#include "moescope/analysis/probe/probe.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "moescope/analysis/probe/neuron_store.h"
#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/engine/engine.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
#include "moescope/model/language_model.h"
#include "moescope/record/model_trace.h"
#include "tests/record/tiny_model.h"

namespace moescope::analysis::probe {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The fixture model with 60 documents of letters and digits and two tagged sentences.
class Probe : public ::testing::Test {
 protected:
  void SetUp() override {
    set_interrupted(0);
    model_ = test::make_tiny_model(folder_.path() / "model");
    Random random(4);
    std::string lines;
    for (int i = 0; i < 60; ++i) {
      std::string text;
      while (text.size() < 60) {
        const std::uint64_t kind = random.below(8);
        text += kind == 0   ? ' '
                : kind <= 2 ? static_cast<char>('0' + random.below(10))
                            : static_cast<char>((kind == 3 ? 'A' : 'a') + static_cast<int>(random.below(26)));
      }
      const char* domain = i % 3 == 0 ? "ArXiv" : i % 3 == 1 ? "Github" : "Prose";
      lines += json{{"text", text}, {"meta", {{"pile_set_name", domain}}}}.dump() + "\n";
    }
    test::write_text(folder_.path() / "corpus.jsonl", lines);
    test::write_text(folder_.path() / "tagged.jsonl",
                     "{\"words\": [\"cats\", \"eat\"], \"tags\": [\"NOUN\", \"VERB\"]}\n"
                     "{\"words\": [\"off\"], \"tags\": []}\n");
  }
  void TearDown() override { set_interrupted(0); }

  ProbeOptions options(const std::string& out) const {
    ProbeOptions options;
    options.corpus = (folder_.path() / "corpus.jsonl").string();
    options.tagged = {(folder_.path() / "tagged.jsonl").string()};
    options.out = folder_.path() / out;
    options.sample.window_characters = 40;
    options.fit.probe.widths = {1, 2, 4};
    options.fit.probe.min_per_class = 10;
    return options;
  }
  ProbeSummary run(const ProbeOptions& options, const Console& console = {}, int n_threads = 1) const {
    machine::MachineOptions machine;
    machine.dtype = "float32";
    machine.memory_bytes = std::uint64_t{2} << 30;
    machine.n_threads = n_threads;
    return probe(engine::OpenedModel::open({model_.string()}, machine), options, console);
  }
  std::string file(const std::string& out, const char* name) const {
    return io::read_file(folder_.path() / out / name);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path model_;
};

TEST_F(Probe, WritesProbesOfEveryLayerExpertConceptAndK) {
  const ProbeSummary summary = run(options("run"));
  const io::Table like = {{{"concept", io::TextColumn()},
                           {"layer", io::IntColumn()},
                           {"expert", io::IntColumn()},
                           {"k", io::IntColumn()},
                           {"f1", io::RealColumn()},
                           {"recall", io::RealColumn()},
                           {"precision", io::RealColumn()},
                           {"num_positive", io::IntColumn()},
                           {"num_negative", io::IntColumn()}}};
  const io::Table table = io::read_csv(folder_.path() / "run/probes.csv", like);
  ASSERT_EQ(table.n_rows(), 3u * 8 * 58 * 3);
  EXPECT_THAT(file("run", "probes.csv"),
              StartsWith("concept,layer,expert,k,f1,recall,precision,num_positive,num_negative,kind,"));
  const auto& names = std::get<io::TextColumn>(table.at("concept").values);
  const auto& layers = std::get<io::IntColumn>(table.at("layer").values);
  const auto& ks = std::get<io::IntColumn>(table.at("k").values);
  const auto& n_positive = std::get<io::IntColumn>(table.at("num_positive").values);
  const auto& f1 = std::get<io::RealColumn>(table.at("f1").values);
  std::int64_t n_routed = 0, n_fitted = 0;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    if (names[row] == "contains_digit" && layers[row] == 1 && ks[row] == 2) n_routed += *n_positive[row];
    n_fitted += f1[row] ? 1 : 0;
    if (f1[row]) {
      EXPECT_GE(*f1[row], 0);
      EXPECT_LE(*f1[row], 1);
      EXPECT_GE(*n_positive[row], 10);
    }
  }
  EXPECT_GT(n_fitted, 100);
  EXPECT_EQ(n_fitted, summary.run["probe"]["n_fitted"].get<std::int64_t>());
  std::map<std::string, json> of;
  for (const json& item : summary.run["concepts"]) of[item["concept"].get<std::string>()] = item;
  // Every token reaches three of the eight experts.
  EXPECT_EQ(n_routed, 3 * of["contains_digit"]["n_positive"].get<std::int64_t>());
  EXPECT_EQ(of["noun"]["n_positive"], 4);
  EXPECT_EQ(of["is_superscript"]["status"], "never_occurs");
  EXPECT_EQ(summary.run["model"]["n_experts"], 8);
  EXPECT_GT(summary.run["probe"]["mean_active_neurons"].get<double>(), 1);
  EXPECT_LE(summary.run["probe"]["mean_active_neurons"].get<double>(), 16);
  EXPECT_THAT(summary.run["skipped"].dump(), HasSubstr("tags that do not align"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "run/DONE"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "run/resume"));
  EXPECT_THAT(file("run", "probe_controls.csv"), HasSubstr("\nselect,"));
  EXPECT_THAT(describe(summary), HasSubstr("never occur in this text"));
  const ProbeSummary again = run(options("run"));
  EXPECT_TRUE(again.already_complete);
}

TEST_F(Probe, WavesAndThreadsDoNotChangeResults) {
  ProbeOptions whole = options("whole"), waves = options("waves");
  waves.max_wave_tokens = 700;
  waves.max_batch_tokens = 130;
  run(whole);
  const ProbeSummary summary = run(waves, {}, 2);
  EXPECT_GT(summary.run["waves"]["n"].get<std::int64_t>(), 2);
  EXPECT_GT(summary.run["probe"]["n_spilled_bytes"].get<std::int64_t>(), 0);
  EXPECT_EQ(file("whole", "probes.csv"), file("waves", "probes.csv"));
  EXPECT_EQ(file("whole", "probe_controls.csv"), file("waves", "probe_controls.csv"));
}

TEST_F(Probe, AStoppedRunGoesOnLayerByLayer) {
  run(options("whole"));
  Console console;
  int n_layers = 0;
  console.line = [&](const std::string& line) {
    if (line.starts_with("layer ")) {
      ++n_layers;
      set_interrupted(SIGTERM);
    }
  };
  EXPECT_THROW(run(options("stopped"), console), Error);
  EXPECT_EQ(n_layers, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "stopped/run.json"));
  set_interrupted(0);
  ProbeOptions other = options("stopped");
  other.seed = 9;
  EXPECT_THROW(run(other), Error);  // the state of another run is not touched
  n_layers = 0;
  console.line = [&](const std::string& line) { n_layers += line.starts_with("layer ") ? 1 : 0; };
  run(options("stopped"), console);
  EXPECT_EQ(n_layers, 2);
  EXPECT_EQ(file("whole", "probes.csv"), file("stopped", "probes.csv"));
  EXPECT_EQ(file("whole", "probe_controls.csv"), file("stopped", "probe_controls.csv"));
}

TEST_F(Probe, SamplesAreWrittenForOtherPeoplesCode) {
  run(options("run"));
  const auto samples = io::SafetensorsFile::open(folder_.path() / "run/probe_samples.safetensors");
  const std::int64_t n = samples.at("item_token").shape.at(0);
  EXPECT_GT(n, 100);
  EXPECT_EQ(samples.at("item_part").shape.at(0), n);
  EXPECT_EQ(samples.at("window_begin").shape.at(0), samples.at("window_document").shape.at(0) + 1);
}

TEST_F(Probe, CollectedNeuronsAreThoseOfTheTrace) {
  const io::CheckpointFolder folder = io::find_checkpoint(model_.string());
  const model::Checkpoint checkpoint = model::Checkpoint::open(folder);
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder.tokenizer_json);
  const text::ConceptLibrary concepts = text::ConceptLibrary::built_in();
  SampleBuilder builder(tokenizer, concepts, {});
  builder.add_document({"a", "abc 123 DEF ghi 45 xyz", ""}, 0);
  const ProbeCorpus corpus = builder.build();
  const std::vector<std::int64_t> ids(corpus.tokens.token_ids.begin(), corpus.tokens.token_ids.end());
  const model::LanguageModel language_model(checkpoint, at::kFloat, at::kCPU);
  record::write_model_trace(language_model, ids, {"neurons", "router"}, folder_.path() / "t.safetensors");
  const auto trace = io::SafetensorsFile::open(folder_.path() / "t.safetensors");

  int n_compared = 0;
  const auto layer_done = [&](std::int64_t layer, std::vector<CollectedExpert>& experts) {
    const auto expert_ids = trace.at(fmt::format("layers.{}.expert_ids", layer)).to_vector<std::int32_t>();
    const auto neurons = trace.at(fmt::format("layers.{}.neurons", layer)).to_vector<float>();
    for (std::size_t e = 0; e < experts.size(); ++e) {
      const at::Tensor all = experts[e].neurons.empty() ? at::empty({0, 16}) : at::cat(experts[e].neurons);
      ASSERT_EQ(all.size(0), static_cast<std::int64_t>(experts[e].rows.size()));
      for (std::size_t i = 0; i < experts[e].rows.size(); ++i) {
        std::size_t token = 0;
        while (corpus.sampled_row[token] != experts[e].rows[i]) ++token;
        for (std::size_t slot = 0; slot < 3; ++slot) {
          if (expert_ids[token * 3 + slot] != static_cast<std::int32_t>(e)) continue;
          for (std::size_t j = 0; j < 16; ++j) {
            const float found = all[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)].item<float>();
            EXPECT_NEAR(found, neurons[(token * 3 + slot) * 16 + j], 1e-5);
            ++n_compared;
          }
        }
      }
    }
  };
  NeuronStore store(checkpoint.config(), corpus, {0, 2}, at::kFloat, folder_.path(), layer_done);
  engine::EngineOptions engine_options;
  engine_options.memory_bytes = std::uint64_t{2} << 30;
  engine::Engine(checkpoint, corpus.tokens, engine_options, {&store}).run(0, {}, {});
  EXPECT_EQ(n_compared, 2 * corpus.n_sampled * 3 * 16);
}

TEST_F(Probe, WrongUseIsToldInOneLine) {
  const auto error_of = [&](auto change) -> std::string {
    ProbeOptions changed = options("wrong");
    change(changed);
    try {
      run(changed);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of([](ProbeOptions& o) { o.out.clear(); }), HasSubstr("option 'out' is missing"));
  EXPECT_THAT(error_of([](ProbeOptions& o) { o.corpus.clear(), o.tagged.clear(); }), HasSubstr("no text given"));
  EXPECT_THAT(error_of([](ProbeOptions& o) { o.fit.probe.widths = {2, 2}; }), HasSubstr("option 'ks'"));
  EXPECT_THAT(error_of([](ProbeOptions& o) { o.fit.matched.width = 4; }), HasSubstr("belong together"));
  EXPECT_THAT(error_of([](ProbeOptions& o) {
                o.fit.matched = {4, 2, 1};
              }),
              HasSubstr("no layer that is probed is dense"));
  EXPECT_THAT(error_of([](ProbeOptions& o) {
                o.fit.matched = {4, 2, 1}, o.fit.controls = false;
              }),
              HasSubstr("needs option 'controls'"));
  EXPECT_THAT(error_of([](ProbeOptions& o) { o.layers = {7}; }), HasSubstr("layers 0 to 2"));
  EXPECT_THAT(error_of([](ProbeOptions& o) { o.tagged = {"no.conllu"}; }), HasSubstr("no.conllu"));
  EXPECT_THAT(error_of([this](ProbeOptions& o) {
                test::write_text(folder_.path() / "c.json",
                                 R"({"concepts": [{"name": "bad", "category": "x", "expressions": ["a(b"]}]})");
                o.concepts = folder_.path() / "c.json";
              }),
              HasSubstr("concept 'bad': expression 'a(b'"));
  EXPECT_THAT(error_of([this](ProbeOptions& o) {
                test::write_text(folder_.path() / "c.json",
                                 R"({"concepts": [{"name": "n", "category": "x", "expressions": ["never here"]}]})");
                o.concepts = folder_.path() / "c.json";
              }),
              HasSubstr("no concept occurs"));
}

}  // namespace
}  // namespace moescope::analysis::probe
