// A shared expert in `moescope probe`: an expert of its own, with controls, from the neurons that a trace gives.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "moescope/analysis/probe/neuron_store.h"
#include "moescope/analysis/probe/probe.h"
#include "moescope/base/error.h"
#include "moescope/engine/engine.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/safetensors.h"
#include "moescope/io/table.h"
#include "moescope/model/language_model.h"
#include "moescope/record/model_trace.h"
#include "moescope/run/probe_files.h"
#include "tests/record/tiny_model.h"

namespace moescope::analysis::probe {
namespace {

// Layer 1 of 3 is dense (22 neurons); layers 0 and 2 have 8 routed experts (16 neurons) and a shared one (20).
class SharedProbe : public ::testing::Test {
 protected:
  SharedProbe() : model_(test::make_tiny_model(folder_.path() / "model", "family/qwen2_moe")) {}

  test::TemporaryFolder folder_;
  std::filesystem::path model_;
};

TEST_F(SharedProbe, CollectsTheNeuronsOfTheTrace) {
  const io::CheckpointFolder folder = io::find_checkpoint(model_.string());
  const model::Checkpoint checkpoint = model::Checkpoint::open(folder);
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder.tokenizer_json);
  const text::ConceptLibrary concepts = text::ConceptLibrary::built_in();
  SampleBuilder builder(tokenizer, concepts, {});
  builder.add_document({"a", "abc 123 DEF ghi 45 xyz", ""}, 0);
  const ProbeCorpus corpus = builder.build();
  const std::vector<std::int64_t> ids(corpus.tokens.token_ids.begin(), corpus.tokens.token_ids.end());
  const model::LanguageModel language_model(checkpoint, at::kFloat, at::kCPU);
  record::write_model_trace(language_model, ids, {"neurons"}, folder_.path() / "t.safetensors");
  const auto trace = io::SafetensorsFile::open(folder_.path() / "t.safetensors");

  std::set<std::int64_t> seen;
  const auto layer_done = [&](std::int64_t layer, std::vector<CollectedExpert>& experts) {
    seen.insert(layer);
    ASSERT_EQ(experts.size(), layer == 1 ? 1U : 9U);
    if (layer == 1) return;
    const auto want = trace.at(fmt::format("layers.{}.shared_neurons", layer)).to_vector<float>();
    const CollectedExpert& shared = experts.back();
    const at::Tensor all = at::cat(shared.neurons);
    ASSERT_EQ(all.size(0), corpus.n_sampled);
    ASSERT_EQ(all.size(1), 20);
    for (std::size_t i = 0; i < shared.rows.size(); ++i) {
      std::size_t token = 0;
      while (corpus.sampled_row[token] != shared.rows[i]) ++token;
      for (std::size_t j = 0; j < 20; ++j) {
        const float found = all[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)].item<float>();
        EXPECT_NEAR(found, want[token * 20 + j], 1e-5);
      }
    }
  };
  NeuronStore store(checkpoint.config(), corpus, {0, 1, 2}, at::kFloat, folder_.path(), layer_done);
  engine::EngineOptions options;
  options.memory_bytes = std::uint64_t{2} << 30;
  engine::Engine(checkpoint, corpus.tokens, options, {&store}).run(0, {}, {});
  EXPECT_EQ(seen.size(), 3U);
}

TEST_F(SharedProbe, IsProbedAsAnExpertWithControls) {
  Random random(4);
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    std::string text;
    while (text.size() < 60) {
      const std::uint64_t kind = random.below(8);
      text += kind == 0   ? ' '
              : kind <= 2 ? static_cast<char>('0' + random.below(10))
                          : static_cast<char>('a' + static_cast<int>(random.below(26)));
    }
    lines += nlohmann::json{{"text", text}}.dump() + "\n";
  }
  test::write_text(folder_.path() / "corpus.jsonl", lines);
  ProbeOptions options;
  options.corpus = (folder_.path() / "corpus.jsonl").string();
  options.out = folder_.path() / "run";
  options.sample.window_characters = 40;
  options.fit.probe.widths = {1, 2};
  options.fit.probe.min_per_class = 10;
  machine::MachineOptions machine;
  machine.dtype = "float32";
  machine.memory_bytes = std::uint64_t{2} << 30;
  machine.n_threads = 1;
  const engine::OpenedModel model = engine::OpenedModel::open({model_.string()}, machine);
  const nlohmann::json facts = probe(model, options, {}).run;
  EXPECT_EQ(facts.at("model").at("d_shared"), 20);
  EXPECT_EQ(facts.at("skipped").dump().find("shared"), std::string::npos);

  const io::Table experts = io::read_csv(options.out / "probe_experts.csv", {{{"layer", io::IntColumn()},
                                                                              {"expert", io::IntColumn()},
                                                                              {"kind", io::TextColumn()},
                                                                              {"n_neurons", io::IntColumn()},
                                                                              {"n_tokens", io::IntColumn()},
                                                                              {"mean_active_neurons", io::RealColumn()},
                                                                              {"status", io::TextColumn()}}});
  ASSERT_EQ(experts.n_rows(), 9U + 1U + 9U);
  const auto whole = [&](const char* column, std::size_t row) {
    return std::get<io::IntColumn>(experts.at(column).values)[row].value();
  };
  double active = 0, n = 0;
  for (std::size_t row = 0; row < experts.n_rows(); ++row) {
    const bool dense = row == 9, shared = row == 8 || row == 18;
    EXPECT_EQ(std::get<io::TextColumn>(experts.at("kind").values)[row], dense ? "dense" : shared ? "shared" : "routed");
    EXPECT_EQ(whole("n_neurons", row), dense ? 22 : shared ? 20 : 16);
    if (shared) {
      EXPECT_EQ(whole("expert", row), 8);
      EXPECT_EQ(whole("n_tokens", row), facts.at("corpus").at("n_tokens_sampled").get<std::int64_t>());
      continue;
    }
    const auto mean = std::get<io::RealColumn>(experts.at("mean_active_neurons").values)[row];
    if (!mean) continue;
    active += *mean * static_cast<double>(whole("n_tokens", row));
    n += static_cast<double>(whole("n_tokens", row));
  }
  EXPECT_NEAR(facts.at("probe").at("mean_active_neurons").get<double>(), active / n, 1e-9);

  std::map<std::int64_t, int> n_rows;  // by layer: the shared expert once a concept and k, beside eight or one others
  for (const run::ProbeRow& row : run::read_probes(options.out / "probes.csv")) {
    EXPECT_EQ(row.kind == run::kShared, row.expert == 8);
    n_rows[row.layer] += row.kind == run::kShared ? 1 : 0;
  }
  const int n_each = static_cast<int>(facts.at("concepts").size()) * 2;
  EXPECT_EQ(n_rows, (std::map<std::int64_t, int>{{0, n_each}, {1, 0}, {2, n_each}}));
  EXPECT_EQ(facts.at("probe").at("n_probes"), n_each * (9 + 1 + 9));
  std::set<std::string> variants;
  for (const run::ProbeControlRow& row : run::read_probe_controls(options.out / "probe_controls.csv")) {
    if (row.probe.kind == run::kShared) variants.insert(row.variant);
  }
  EXPECT_EQ(variants, (std::set<std::string>{"half_a", "half_b", "select", "shuffled"}));
  // The same settings by a build that left shared experts out made other files.
  nlohmann::json earlier = facts;
  earlier["identity"].erase("shared_experts");
  test::write_text(options.out / "run.json", earlier.dump());
  EXPECT_THROW(probe(model, options, {}), Error);
}

}  // namespace
}  // namespace moescope::analysis::probe
