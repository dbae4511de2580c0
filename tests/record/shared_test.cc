// Shared experts in a recording: against what transformers computed (tests/reference), and against the naive recording.
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "moescope/engine/engine.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/record/recorder.h"
#include "tests/model/fixture.h"
#include "tests/record/naive_recording.h"
#include "tests/record/recording.h"

namespace moescope::record {
namespace {

using test::integer;
using test::kScoreBound;
using test::NaiveRecording;
using test::read;
using test::real;
using test::Recording;
using test::Routed;

class SharedReference : public ::testing::TestWithParam<const char*> {};

// The fixture's sequences as a corpus: each is a document, one sequence and windows of 4 tokens.
text::TokenCorpus corpus_of(const at::Tensor& ids) {
  text::TokenCorpus corpus;
  corpus.context = ids.size(1);
  corpus.window = 4;
  for (std::int64_t i = 0; i < ids.size(0); ++i) {
    const std::int64_t first = i * ids.size(1);
    text::TokenizedDocument document;
    document.first_token = first;
    document.n_tokens = ids.size(1);
    corpus.documents.push_back(document);
    corpus.sequences.push_back(
        {first, corpus.n_windows, static_cast<std::int32_t>(ids.size(1)), static_cast<std::int32_t>(i), 0});
    corpus.n_windows += ids.size(1) / 4;
    for (std::int64_t t = 0; t < ids.size(1); ++t) {
      corpus.token_ids.push_back(ids[i][t].item<std::int32_t>());
      corpus.byte_begin.push_back(0);
      corpus.byte_end.push_back(0);
    }
  }
  return corpus;
}

TEST_P(SharedReference, IsRecordedAsTransformersComputesIt) {
  const std::string folder = moescope::testing::fixture_folder(std::string("family/") + GetParam());
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(folder));
  const auto reference = io::SafetensorsFile::open(folder + "/reference.safetensors");
  const text::TokenCorpus corpus = corpus_of(moescope::testing::tensor_of(reference, "input_ids"));
  const auto n_tokens = static_cast<std::int64_t>(corpus.token_ids.size());
  const test::TemporaryFolder state;
  RecorderOptions options;
  options.evidence.window = 4;
  options.n_traced = n_tokens;
  options.loss = false;
  Recorder recorder(checkpoint.config(), corpus, options, state.path());
  engine::EngineOptions engine_options;
  engine_options.memory_bytes = 4ull << 30;
  engine::Engine(checkpoint, corpus, engine_options, {&recorder}).run(0, {});
  recorder.trace().assemble(state.path() / "trace.safetensors", corpus);
  const auto trace = io::SafetensorsFile::open(state.path() / "trace.safetensors");

  const RecordShape& shape = recorder.shape();
  const ExpertCounters& counters = recorder.counters();
  std::int64_t n_shared = 0;
  for (std::int64_t l = 0; l < shape.n_layers; ++l) {
    const std::string prefix = fmt::format("layers.{}.", l);
    ASSERT_EQ(shape.shared(l), reference.contains(prefix + "shared_output")) << prefix;
    ASSERT_EQ(trace.contains(prefix + "shared_scores"), shape.shared(l)) << prefix;
    const std::size_t idx = shape.idx(l, shape.n_experts);
    if (!shape.shared(l)) {
      EXPECT_EQ(counters.n_tokens[idx], 0) << prefix;
      continue;
    }
    ++n_shared;
    const at::Tensor outputs = moescope::testing::tensor_of(reference, prefix + "shared_output").to(at::kDouble);
    const at::Tensor weights = moescope::testing::tensor_of(reference, prefix + "shared_gate").to(at::kDouble);
    const at::Tensor neurons = moescope::testing::tensor_of(reference, prefix + "shared_neurons").to(at::kDouble).abs();
    const at::Tensor norms = outputs.square().sum(1).sqrt(), scores = weights * norms;
    const auto near = [&](double got, const at::Tensor& want, double bound) {
      const double sum = want.sum().item<double>();
      EXPECT_NEAR(got, sum, bound * sum) << prefix;
    };
    EXPECT_EQ(counters.n_tokens[idx], n_tokens);
    near(counters.sum_weight[idx], weights, 1e-5);
    near(counters.sum_norm[idx], norms, 1e-5);
    near(counters.sum_score[idx], scores, kScoreBound);
    EXPECT_EQ(counters.n_active[idx], neurons.gt(0).sum().item<std::int64_t>());
    const at::Tensor strong = neurons.gt(0.1 * std::get<0>(neurons.max(1, true)));
    EXPECT_NEAR(static_cast<double>(counters.n_active_01[idx]), strong.sum().item<double>(), 1);
    EXPECT_EQ(recorder.evidence().n_windows_fired(l, shape.n_experts), corpus.n_windows);
    const auto traced_weights = trace.at(prefix + "shared_weights").to_vector<float>();
    const auto traced_scores = trace.at(prefix + "shared_scores").to_vector<float>();
    ASSERT_EQ(static_cast<std::int64_t>(traced_scores.size()), n_tokens);
    for (std::int64_t t = 0; t < n_tokens; ++t) {
      const double weight = weights[t].item<double>(), score = scores[t].item<double>();
      EXPECT_NEAR(traced_weights[static_cast<std::size_t>(t)], weight, 1e-5 * weight);
      EXPECT_NEAR(traced_scores[static_cast<std::size_t>(t)], score, kScoreBound * score);
    }
    // The router's sums stay those of routed experts.
    std::int64_t n_routed = 0;
    for (std::int64_t e = 0; e < shape.n_experts; ++e) n_routed += counters.n_tokens[shape.idx(l, e)];
    EXPECT_EQ(n_routed, n_tokens * shape.n_experts_per_token);
  }
  EXPECT_GT(n_shared, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, SharedReference,
                         ::testing::Values("qwen2_moe", "deepseek_v2", "deepseek_v3", "ernie4_5_moe", "glm4_moe"),
                         [](const auto& family) { return family.param; });

// Layer 1 of 3 is dense, the shared expert of the others has a router and a width of its own.
class SharedRecording : public Recording {
 protected:
  SharedRecording() : Recording("family/qwen2_moe") {}
  RecordSummary record_float(const RecordOptions& o) const {  // the checkpoint is stored in bfloat16
    machine::MachineOptions machine = roomy();
    machine.dtype = "float32";
    return recorded(o, machine);
  }
};

TEST_F(SharedRecording, WritesTheSharedExpertBehindTheRoutedOnes) {
  const RecordOptions o = options("run");
  const nlohmann::json run = record_float(o).run;
  EXPECT_EQ(run.at("model").at("d_shared"), 20);
  const text::TokenCorpus tokens = read_corpus(o);
  const auto n_tokens = static_cast<std::int64_t>(tokens.token_ids.size());
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(model.string()));
  NaiveRecording want(checkpoint, tokens);

  const io::Table experts = test::read_experts(o.out);
  const auto& kinds = std::get<io::TextColumn>(experts.at("kind").values);
  const auto& loads = std::get<io::RealColumn>(experts.at("load_frac").values);
  std::size_t row = 0;
  for (const std::int64_t l : {0, 1, 2}) {
    double load = 0;
    for (std::int64_t e = 0; e < (l == 1 ? 1 : 9); ++e, ++row) {
      EXPECT_EQ(integer(experts, "layer", row), l);
      EXPECT_EQ(integer(experts, "expert", row), e);
      EXPECT_EQ(kinds[row], l == 1 ? "dense" : e == 8 ? "shared" : "routed");
      EXPECT_EQ(loads[row].has_value(), e < 8);
      load += loads[row].value_or(0);
      double score = 0, active = 0;
      const std::vector<Routed>& of_expert = want.expert(l, e);
      for (const Routed& routed : of_expert) {
        score += routed.score();
        active += static_cast<double>(routed.n_active);
      }
      const auto n = static_cast<double>(of_expert.size());
      EXPECT_EQ(integer(experts, "n_tokens", row), static_cast<std::int64_t>(of_expert.size()));
      if (e == 8) {
        EXPECT_EQ(integer(experts, "n_tokens", row), n_tokens);
      }
      EXPECT_NEAR(real(experts, "mean_score", row), score / n, kScoreBound * score / n);
      EXPECT_NEAR(real(experts, "active_neuron_frac", row), active / n / (l == 1 ? 22 : e == 8 ? 20 : 16), 1e-12);
    }
    EXPECT_NEAR(load, 1, 1e-12);
  }
  EXPECT_EQ(row, experts.n_rows());

  const io::Table domains =
      test::read_table(o.out, "domains", {"layer", "expert", "n_tokens"}, {"share_of_domain_frac"}, {"kind", "domain"});
  std::map<std::string, double> shares;  // of layer 0 by domain, over routed experts
  for (std::size_t i = 0; i < domains.n_rows(); ++i) {
    const std::string kind = std::get<io::TextColumn>(domains.at("kind").values).at(i).value();
    const std::string domain = std::get<io::TextColumn>(domains.at("domain").values).at(i).value();
    const double share = real(domains, "share_of_domain_frac", i);
    if (kind == "routed" && integer(domains, "layer", i) == 0) shares[domain] += share;
    if (kind == "routed") continue;
    EXPECT_EQ(share, 1);
  }
  for (const auto& [domain, share] : shares) EXPECT_NEAR(share, 3, 1e-12) << domain;

  std::map<std::int32_t, std::int64_t> counts, got;
  for (const std::int32_t id : tokens.token_ids) ++counts[id];
  const auto expert = read<std::int32_t>(o.out, "input_tokens", "layers.2.expert");
  const auto token_id = read<std::int32_t>(o.out, "input_tokens", "layers.2.token_id");
  const auto count = read<std::int64_t>(o.out, "input_tokens", "layers.2.count");
  for (std::size_t i = 0; i < expert.size(); ++i) {
    if (expert[i] == 8) got[token_id[i]] = count[i];
  }
  EXPECT_EQ(got, counts);
  const auto together = io::SafetensorsFile::open(o.out / "coactivation.safetensors").at("layers.0.coactivation");
  EXPECT_EQ(together.shape, (std::vector<std::int64_t>{8, 8}));
}

TEST_F(SharedRecording, KeepsEvidenceOfAllKinds) {
  const RecordOptions o = options("run");
  record_float(o);
  const text::TokenCorpus tokens = read_corpus(o);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(model.string()));
  NaiveRecording want(checkpoint, tokens);
  const auto ints = [&](const char* name) { return read<std::int32_t>(o.out, "evidence", name); };
  const auto layer = ints("layer"), expert = ints("expert"), decile = ints("decile"), doc_idx = ints("doc_idx"),
             position = ints("position"), strongest = ints("strongest"), promoted = ints("promoted");
  std::size_t row = 0;
  for (const std::int64_t l : {0, 1, 2}) {
    for (std::int64_t e = 0; e < (l == 1 ? 1 : 9); ++e) {
      for (const test::Fired& fired : test::expected_evidence(test::windows_of(want, l, e, o.seed), 5, 40, 2)) {
        ASSERT_LT(row, layer.size());
        ASSERT_EQ(layer[row], l);
        ASSERT_EQ(expert[row], e);
        EXPECT_EQ(decile[row], fired.decile);
        ASSERT_EQ(doc_idx[row], fired.window.doc_idx) << "row " << row;
        ASSERT_EQ(position[row], fired.window.position) << "row " << row;
        for (std::size_t j = 0; j < 5; ++j) {
          const bool there = j < fired.tokens.size();
          EXPECT_EQ(strongest[row * 5 + j], there ? fired.tokens[j].token - fired.window.first_token : -1);
          for (std::size_t t = 0; t < 3; ++t) {
            EXPECT_EQ(promoted[(row * 5 + j) * 3 + t], there ? fired.tokens[j].promoted[t] : -1);
          }
        }
        ++row;
      }
    }
  }
  EXPECT_EQ(row, layer.size());
}

TEST_F(SharedRecording, DoesNotDependOnWavesAndResumes) {
  record_float(options("one"));
  RecordOptions many = options("many");
  many.max_wave_tokens = 100;
  many.max_batch_tokens = 30;
  many.max_save_frac = 1e9;
  int n_waves = 0;
  many.wave_done = [&](std::int64_t) {
    if (++n_waves == 4) set_interrupted(SIGINT);
  };
  EXPECT_THROW(record_float(many), Error);
  set_interrupted(0);
  EXPECT_TRUE(record_float(many).resumed);
  test::expect_same_results(folder.path() / "one", many.out);
  for (const char* name : {"shared_weights", "shared_scores"}) {
    const auto a = read<float>(folder.path() / "one", "trace", std::string("layers.2.") + name);
    const auto b = read<float>(many.out, "trace", std::string("layers.2.") + name);
    ASSERT_EQ(a.size(), 500U);
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 2 * kScoreBound * a[i]);
  }
}

}  // namespace
}  // namespace moescope::record
