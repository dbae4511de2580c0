// Superposition of language models: measures against the plain loops of stats, sums against a naive pass, whole runs.
#include "moescope/analysis/superpose/superpose.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "moescope/analysis/superpose/class_means.h"
#include "moescope/analysis/superpose/geometry.h"
#include "moescope/analysis/superpose/sets.h"
#include "moescope/base/error.h"
#include "moescope/engine/engine.h"
#include "moescope/io/file.h"
#include "moescope/model/language_model.h"
#include "moescope/run/run_directory.h"
#include "moescope/stats/superposition.h"
#include "tests/engine/tiny_run.h"
#include "tests/record/tiny_model.h"

namespace moescope::analysis::superpose {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

at::Tensor random_rows(std::int64_t n, std::int64_t m, std::uint64_t seed) {
  return random_directions(at::ones({n, m}), seed) * (1 + at::arange(n).to(at::kFloat).unsqueeze(1) / 3);
}

double value(const at::Tensor& tensor, std::int64_t i) { return tensor[i].item<double>(); }

TEST(SuperposeGeometry, IsThatOfTheToyModelsWhicheverProductIsSmaller) {
  for (const auto& [n, m] : {std::pair<std::int64_t, std::int64_t>{7, 20}, {20, 7}, {5, 5}, {1, 3}}) {
    const at::Tensor rows = random_rows(n, m, 11).contiguous();
    const RowMeasures measured = measure_rows(rows);
    const std::vector<stats::FeatureMeasures> expected =
        stats::feature_measures({{rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())}, n, m});
    for (std::int64_t i = 0; i < n; ++i) {
      const stats::FeatureMeasures& feature = expected[static_cast<std::size_t>(i)];
      EXPECT_NEAR(value(measured.norm, i), feature.norm, 1e-5 * feature.norm);
      EXPECT_NEAR(value(measured.interference_squared, i), feature.interference_squared,
                  1e-5 * feature.score_with_self);
      EXPECT_NEAR(value(measured.dimensionality, i), feature.dimensionality.value(), 1e-5);
    }
  }
}

TEST(SuperposeGeometry, OfAnOrthonormalSetIsOneFeatureADimension) {
  const SetMeasures set = measure_set(at::eye(6));
  EXPECT_NEAR(set.at(Measure::kRepresentedPerDim).value(), 1, 1e-9);
  EXPECT_NEAR(set.at(Measure::kEffectiveDimsFrac).value(), 1, 1e-9);
  EXPECT_NEAR(set.at(Measure::kMeanDimensionality).value(), 1, 1e-9);
  EXPECT_NEAR(set.at(Measure::kOwnDimensionFrac).value(), 1, 1e-9);
  EXPECT_FALSE(set.at(Measure::kDensityRank));
}

TEST(SuperposeGeometry, OfAntipodalPairsIsTwoFeaturesADimensionAtAnyScale) {
  const at::Tensor rows = 37 * at::cat({at::eye(3), -at::eye(3), at::zeros({1, 3})});
  const SetMeasures set = measure_set(rows);
  EXPECT_EQ(set.n_zero, 1);
  EXPECT_NEAR(set.at(Measure::kRepresentedPerDim).value(), 2, 1e-9);
  EXPECT_NEAR(set.at(Measure::kRepresentedPerEffectiveDim).value(), 2, 1e-6);
  EXPECT_NEAR(set.at(Measure::kMeanDimensionality).value(), 0.5, 1e-6);
  EXPECT_NEAR(set.at(Measure::kStrongestDimensionality).value(), 0.5, 1e-6);
  EXPECT_EQ(set.at(Measure::kOwnDimensionFrac).value(), 0);
}

TEST(SuperposeGeometry, RanksOwnDimensionsByDensity) {
  // Feature 0 alone; 1 and 2 share a dimension; 3 and 4 and 5 share another.
  const at::Tensor rows = at::zeros({6, 3});
  for (const auto& [row, column] : {std::pair{0, 0}, {1, 1}, {2, 1}, {3, 2}, {4, 2}, {5, 2}}) rows[row][column] = 1;
  const std::vector<double> rising = {3, 2, 2, 1, 1, 1};
  EXPECT_NEAR(measure_set(rows, rising).at(Measure::kDensityRank).value(), 1, 1e-9);
  const std::vector<double> falling = {1, 2, 2, 3, 3, 3};
  EXPECT_NEAR(measure_set(rows, falling).at(Measure::kDensityRank).value(), -1, 1e-9);
  EXPECT_THROW(measure_set(rows, std::vector<double>{1, 2}), Error);
}

TEST(SuperposeGeometry, RandomDirectionsKeepNormsAndInterfereAsTheoryTells) {
  const at::Tensor rows = random_rows(60, 40, 5), drawn = random_directions(rows, 8);
  const RowMeasures before = measure_rows(rows), after = measure_rows(drawn);
  EXPECT_LT((before.norm - after.norm).abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(at::equal(drawn, random_directions(rows, 8)));
  EXPECT_FALSE(at::equal(drawn, random_directions(rows, 9)));
  // E P_i^2 = sum_{j != i} ||W_j||^2 / m.
  const at::Tensor squares = before.norm.square();
  const at::Tensor expected = (squares.sum() - squares) / 40;
  EXPECT_NEAR(after.interference_squared.mean().item<double>() / expected.mean().item<double>(), 1, 0.05);
}

TEST(SuperposeGeometry, RefusesWhatIsNoSetOfVectors) {
  EXPECT_THROW(measure_rows(at::ones({3})), Error);
  EXPECT_THROW(measure_rows(at::ones({3, 0})), Error);
  EXPECT_THAT([] { measure_rows(at::full({2, 2}, NAN)); }, ThrowsMessage<Error>(HasSubstr("NaN")));
  EXPECT_FALSE(measure_set(at::zeros({0, 4})).at(Measure::kMeanDimensionality));
  EXPECT_FALSE(measure_set(at::zeros({3, 4})).at(Measure::kMeanDimensionality));
}

TEST(SuperposeSets, DealNeuronsAmongExpertsAndLoseNone) {
  LayerSet set{"unembedding_down", {at::arange(6).view({2, 3}).to(at::kFloat), 10 + at::arange(6).view({2, 3})}};
  set.rows[1] = set.rows[1].to(at::kFloat);
  const std::vector<at::Tensor> dealt = shuffle_experts(set, 4);
  // Columns stay whole: row 1 is row 0 plus 3 in both experts.
  const at::Tensor all = at::cat(dealt, 1);
  EXPECT_TRUE(at::equal(all[1], all[0] + 3));
  EXPECT_TRUE(at::equal(std::get<0>(all[0].sort()), at::tensor({0.f, 1.f, 2.f, 10.f, 11.f, 12.f})));
}

// Means by hand: every neuron of every token from a whole-model pass.
TEST(SuperposeClassMeans, AreThoseOfANaivePassWhateverTheBatches) {
  const model::Checkpoint checkpoint = test::open_fixture();
  const model::ModelConfig& config = checkpoint.config();
  const text::TokenCorpus corpus = test::random_corpus(12, 40, config.d_vocab, 16, 8);
  TokenClasses classes;
  classes.names = {"even", "small"};
  classes.of_token_id.assign(static_cast<std::size_t>(config.d_vocab), -1);
  classes.of_token_id[3] = 1;
  classes.begin = {0};
  for (const std::int32_t id : corpus.token_ids) {
    if (id % 2 == 0) classes.classes.push_back(0);
    if (id < 9) classes.classes.push_back(1);
    classes.begin.push_back(static_cast<std::int64_t>(classes.classes.size()));
  }
  const auto pass = [&](std::int64_t wave, std::int64_t batch) {
    auto means = std::make_unique<ClassMeans>(config, classes, 5);
    engine::Engine engine(checkpoint, corpus, {at::kCPU, at::kFloat, 0, wave, batch}, {means.get()});
    engine.run(0, {});
    return means;
  };
  const auto whole = pass(0, 0), cut = pass(40, 20);

  const model::LanguageModel language_model(checkpoint, at::kFloat, at::kCPU);
  struct Collect : model::LayerObserver {
    void on_expert(const model::ExpertCall& call) override {
      for (std::int64_t i = 0; i < call.rows.size(0); ++i) {
        kept.push_back({call.expert_idx, call.rows[i].item<std::int64_t>(), call.neurons[i].clone()});
      }
    }
    struct Item {
      std::int64_t expert, row;
      at::Tensor neurons;
    };
    std::vector<Item> kept;
  };
  std::map<std::int64_t, at::Tensor> sum_even;
  std::map<std::int64_t, std::int64_t> n_even, n_next;
  for (const text::Sequence& sequence : corpus.sequences) {
    const std::vector<std::int64_t> ids(corpus.token_ids.begin() + sequence.first_token,
                                        corpus.token_ids.begin() + sequence.first_token + sequence.n_tokens);
    Collect collect;
    const c10::InferenceMode inference(true);
    language_model.residual(at::tensor(ids, at::kLong).unsqueeze(0),
                            [&](std::int64_t layer) { return layer == 1 ? &collect : nullptr; });
    for (const Collect::Item& item : collect.kept) {
      const auto at_row = static_cast<std::size_t>(item.row);
      if (at_row + 1 < ids.size() && ids[at_row + 1] == 3) ++n_next[item.expert];
      if (ids[at_row] % 2 != 0) continue;
      ++n_even[item.expert];
      at::Tensor& sum = sum_even[item.expert];
      sum = sum.defined() ? sum + item.neurons.to(at::kDouble) : item.neurons.to(at::kDouble);
    }
  }
  ASSERT_FALSE(n_even.empty());
  for (std::int64_t e = 0; e < config.router.n_experts; ++e) {
    const ClassSums& sums = whole->of(1, e);
    EXPECT_EQ(sums.n[0], n_even[e]);
    EXPECT_EQ(sums.n_next[1], n_next[e]);
    if (n_even[e] > 0) {
      EXPECT_LT((sums.by_class[0] - sum_even[e]).abs().max().item<double>(), 1e-4);
    }
    // The null keeps counts where no token stands alone, and does not depend on batches.
    EXPECT_EQ(sums.n_rotated, cut->of(1, e).n_rotated);
    EXPECT_LE(sums.n_rotated[0], sums.n[0]);
    EXPECT_LT((sums.by_rotated - cut->of(1, e).by_rotated).abs().max().item<double>(), 1e-4);
  }
  EXPECT_EQ(whole->n_alone(), cut->n_alone());
}

TEST(SuperposeClassMeans, DirectionsAreClassMeanLessMeanAndNeedEnoughTokens) {
  ClassSums sums;
  sums.n_tokens = 10;
  sums.n = {4, 1};
  sums.n_rotated = {4, 0};
  sums.sum = at::tensor({10.0, 20.0});
  sums.by_class = at::tensor({8.0, 4.0, 1.0, 1.0}).view({2, 2});
  sums.by_rotated = at::tensor({4.0, 8.0, 0.0, 0.0}).view({2, 2});
  const ClassRows rows = class_rows(sums, 2, false);
  ASSERT_THAT(rows.class_idx, testing::ElementsAre(0));
  EXPECT_DOUBLE_EQ(value(rows.rows[0], 0), 8.0 / 4 - 1);
  EXPECT_DOUBLE_EQ(value(rows.rows[0], 1), 4.0 / 4 - 2);
  EXPECT_EQ(class_rows(sums, 1, false).rows.size(0), 2);
  EXPECT_EQ(class_rows(sums, 0, true).rows.size(0), 1);  // a class without tokens has no mean
  EXPECT_EQ(class_rows(sums, 5, false).rows.size(0), 0);
}

TEST(SuperposeTables, WeighExpertsByUseAndPairThemWithTheirNull) {
  std::vector<MeasuredSet> rows;
  for (std::int64_t e = 0; e < 6; ++e) {
    for (const char* variant : {kModel, kRandom}) {
      MeasuredSet row{0, e, e == 0 ? 0.5 : 0.1, "neurons_up", variant, {}, 0};
      row.measures.at(Measure::kMeanDimensionality) = (e == 0 ? 0.9 : 0.3) - (variant == kRandom ? 0.2 : 0);
      rows.push_back(row);
    }
  }
  rows.push_back({0, 6, 0, "neurons_up", kModel, {}, 0});  // never used, nothing measured
  std::optional<run::SuperpositionSummaryRow> plain, paired;
  for (const run::SuperpositionSummaryRow& summary : summarize(rows, 500, 1)) {
    if (summary.layer) continue;
    if (summary.against == kRandom) paired = summary;
    if (!summary.against && summary.variant == kModel) plain = summary;
  }
  ASSERT_TRUE(plain && paired);
  EXPECT_NEAR(plain->value, 0.5 * 0.9 + 0.5 * 0.3, 1e-12);
  EXPECT_EQ(plain->n_experts, 6);
  EXPECT_LT(*plain->low, plain->value);
  EXPECT_NEAR(paired->value, 0.2, 1e-12);
  EXPECT_NEAR(*paired->low, 0.2, 1e-12);  // the same for every expert
}

engine::OpenedModel tiny_model(const std::filesystem::path& folder) {
  const machine::MachineOptions machine;
  return engine::OpenedModel::open({test::make_tiny_model(folder / "model").string()}, machine);
}

SuperposeOptions tiny_options(const std::filesystem::path& folder) {
  SuperposeOptions options;
  options.corpus = test::make_tiny_corpus(folder / "corpus.jsonl").string();
  options.out = folder / "out";
  options.n_features = 16;
  options.least_tokens = 2;
  options.n_draws = 2;
  options.n_resamples = 200;
  return options;
}

TEST(Superpose, WritesEveryExpertOfEverySet) {
  const test::TemporaryFolder folder;
  const SuperposeOptions options = tiny_options(folder.path());
  const engine::OpenedModel model = tiny_model(folder.path());
  const SuperposeResult result = superpose(model, options, {});
  const model::Checkpoint checkpoint = test::open_fixture();
  const model::ModelConfig& config = checkpoint.config();
  std::map<std::string, std::int64_t> n_model;
  for (const MeasuredSet& row : result.experts) n_model[row.set] += row.variant == kModel ? 1 : 0;
  EXPECT_EQ(n_model.size(), 9u);
  for (const auto& [set, n] : n_model) EXPECT_EQ(n, config.n_layers * config.router.n_experts) << set;
  // One number by hand: mean dimensionality of what expert 1 of layer 0 writes.
  const at::Tensor down = checkpoint.layer(0, at::kFloat, at::kCPU).experts[1].down.weight.t().contiguous();
  for (const MeasuredSet& row : result.experts) {
    if (row.layer != 0 || row.expert != 1 || row.set != "neurons_down" || row.variant != kModel) continue;
    const auto features = stats::feature_measures(
        {{down.const_data_ptr<float>(), static_cast<std::size_t>(down.numel())}, down.size(0), down.size(1)});
    double squares = 0, sum = 0;
    for (const auto& feature : features) squares += feature.norm * feature.norm;
    std::int64_t n = 0;
    for (const auto& feature : features) {
      if (feature.norm <= 0.5 * std::sqrt(squares / static_cast<double>(features.size()))) continue;
      sum += *feature.dimensionality;
      ++n;
    }
    EXPECT_NEAR(row.measures.at(Measure::kMeanDimensionality).value(), sum / static_cast<double>(n), 1e-5);
  }
  double share = 0;
  for (const MeasuredSet& row : result.experts) {
    if (row.layer == 0 && row.set == "neurons_up" && row.variant == kModel) share += row.share;
  }
  EXPECT_NEAR(share, 1, 1e-9);
  for (const char* name : {"superposition.csv", "summary.csv", "run.json"}) {
    EXPECT_TRUE(std::filesystem::exists(options.out / name)) << name;
  }
  EXPECT_THAT(describe(result), HasSubstr("use of experts: the corpus"));
}

TEST(Superpose, GivesTheSameTwice) {
  const test::TemporaryFolder folder;
  SuperposeOptions options = tiny_options(folder.path());
  const engine::OpenedModel model = tiny_model(folder.path());
  superpose(model, options, {});
  const std::string first = io::read_file(options.out / "summary.csv");
  const std::string described = describe(superpose(model, options, {}));  // complete: read back, not measured again
  EXPECT_EQ(described, describe({true,
                                 {},
                                 run::read_table<run::SuperpositionSummaryRow>(options.out / "summary.csv"),
                                 run::read_run_json(options.out)}));
  options.out = folder.path() / "again";
  superpose(model, options, {});
  EXPECT_EQ(first, io::read_file(options.out / "summary.csv"));
}

TEST(Superpose, TakesUpItsOwnFolderAfterAKillAndNoOther) {
  const test::TemporaryFolder folder;
  SuperposeOptions options = tiny_options(folder.path());
  options.corpus.clear();
  const engine::OpenedModel model = tiny_model(folder.path());
  superpose(model, options, {});
  EXPECT_TRUE(std::filesystem::exists(options.out / "DONE"));
  const nlohmann::json run = run::read_run_json(options.out);
  EXPECT_EQ(run.at("identity").at("schema"), 2);
  EXPECT_TRUE(run.contains("tool_version"));
  // Killed before run.json: tables are there, and the identity.
  std::filesystem::create_directories(options.out / "resume");
  test::write_text(options.out / "resume/identity.json", run.at("identity").dump());
  std::filesystem::remove(options.out / "run.json");
  EXPECT_FALSE(superpose(model, options, {}).already_complete);
  options.seed = 2;
  EXPECT_THAT([&] { superpose(model, options, {}); }, ThrowsMessage<Error>(HasSubstr("its seed is 1")));
}

TEST(Superpose, NeedsNoTextForWeights) {
  const test::TemporaryFolder folder;
  SuperposeOptions options = tiny_options(folder.path());
  const engine::OpenedModel model = tiny_model(folder.path());
  options.corpus.clear();
  const SuperposeResult result = superpose(model, options, {});
  EXPECT_EQ(result.run["use"], "not known: all experts alike");
  for (const MeasuredSet& row : result.experts) EXPECT_NE(row.set, "tokens_active");
}

TEST(Superpose, SaysWhatIsWrong) {
  const test::TemporaryFolder folder;
  const SuperposeOptions right = tiny_options(folder.path());
  const engine::OpenedModel model = tiny_model(folder.path());
  const auto with = [&](const auto& change) {
    SuperposeOptions options = right;
    change(options);
    return [options, &model] { superpose(model, options, {}); };
  };
  using Options = SuperposeOptions;
  EXPECT_THAT(with([](Options& o) { o.n_draws = 0; }), ThrowsMessage<Error>(HasSubstr("option 'draws' is 0")));
  EXPECT_THAT(with([](Options& o) { o.run = "somewhere"; }), ThrowsMessage<Error>(HasSubstr("give one of them")));
  EXPECT_THAT(with([](Options& o) { o.out.clear(); }), ThrowsMessage<Error>(HasSubstr("option 'out' is missing")));
  EXPECT_THROW(with([](Options& o) { o.probes = "/nowhere"; })(), Error);
  // A run of another model.
  const std::filesystem::path run = folder.path() / "run";
  std::filesystem::create_directories(run);
  test::write_text(
      run / "run.json",
      R"({"schema": 1, "command": "probe", "model": {"name": "other", "hash": "x", "n_layers": 1, "n_experts": 1,
                      "n_experts_per_token": 1}})");
  EXPECT_THAT(with([&](Options& o) { o.probes = run; }), ThrowsMessage<Error>(HasSubstr("another model (other)")));
  const auto of_run = with([&](Options& o) {
    o.corpus.clear();
    o.run = run;
  });
  EXPECT_THAT(of_run, ThrowsMessage<Error>(HasSubstr("not a run of `moescope record`")));
  test::write_text(run / "run.json",
                   R"({"schema": 1, "command": "record", "model": {"name": "other", "hash": "x", "n_layers": 1,
                      "n_experts": 1, "n_experts_per_token": 1}})");
  EXPECT_THAT(of_run, ThrowsMessage<Error>(HasSubstr("another model (other)")));
}

}  // namespace
}  // namespace moescope::analysis::superpose
