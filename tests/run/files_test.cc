// Described files: written and read back, read with columns of a later version and without those of an older one, and
// the run directories that programs of schema 1 wrote (tests/reference/make_schema1_runs.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "moescope/io/file.h"
#include "moescope/run/catalogue.h"
#include "moescope/run/label_files.h"
#include "moescope/run/probe_files.h"
#include "moescope/run/record_run.h"
#include "moescope/run/superpose_files.h"
#include "moescope/run/toy_files.h"
#include "moescope/run/train_files.h"
#include "tests/io/temporary_folder.h"

namespace moescope::run {
namespace {

namespace fs = std::filesystem;
using io::error_of;
using io::TemporaryFolder;
using testing::HasSubstr;

const fs::path kSchema1 = fs::path(MOESCOPE_SOURCE_DIR) / "tests/fixtures/run/schema1";

// The text of a CSV file with a column of a later version behind every line.
std::string with_later_column(const fs::path& path) {
  std::string text = io::read_file(path);
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 8))
    text.insert(at, ",later");
  return text;
}

TEST(DescribedTable, IsReadBackAsItWasWritten) {
  const TemporaryFolder folder;
  ExpertRow row;
  row.id = {1, 4, kShared};
  row.n_tokens = 7;
  row.load_frac = 0.1;
  row.mean_weight = 1.0 / 3;
  row.status = "ok";
  write_table(folder.path(), "experts", std::vector<ExpertRow>{row});
  const std::vector<ExpertRow> read = read_table<ExpertRow>(folder.path() / "experts.csv");
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].id.kind, "shared");
  EXPECT_EQ(read[0].mean_weight, 1.0 / 3);
  EXPECT_FALSE(read[0].mean_score.has_value());
  EXPECT_EQ(io::read_file(folder.path() / "experts.csv"),
            "layer,expert,kind,n_tokens,load_frac,mean_weight,mean_score,mean_output_norm,active_neuron_frac,"
            "active_neuron_frac_01,n_windows,status\n1,4,shared,7,0.1,0.3333333333333333,,,,,0,ok\n");
}

TEST(DescribedTable, NamesRowAndColumnOfWhatIsWrong) {
  const TemporaryFolder folder;
  const auto error = [&](const char* text) {
    const fs::path path = folder.write("layers.csv", text);
    return error_of([&] { read_table<LayerRow>(path); });
  };
  const std::string head =
      "layer,n_tokens,router_entropy_bits,router_margin,load_entropy_bits,load_max_over_mean,n_never_used\n";
  EXPECT_THAT(error((head + "0,1,,,,,0\n,1,,,,,0\n").c_str()), HasSubstr("layers.csv, row 2: layer is empty"));
  EXPECT_THAT(error("layer,n_tokens\n0,1\n"), HasSubstr("no column"));
}

TEST(DescribedTensors, RefuseAnotherShapeAndType) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "t.safetensors";
  const auto write = [&](const InputTokens& value) {
    std::vector<io::TensorToWrite> tensors;
    add_tensors(tensors, value, layer_prefix(0));
    io::write_safetensors(path, tensors);
  };
  write({2, {0, 1}, {5, 6}, {1, 2}});
  const auto read = read_tensors<InputTokens>(io::SafetensorsFile::open(path), layer_prefix(0));
  EXPECT_EQ(read.n, 2);
  EXPECT_EQ(read.count, (std::vector<std::int64_t>{1, 2}));
  EXPECT_THROW(write({2, {0}, {5, 6}, {1, 2}}), Error);
  const std::vector<std::int32_t> one = {1}, two = {1, 2};
  const std::vector<std::int64_t> counts = {3};
  io::write_safetensors(path, std::vector<io::TensorToWrite>{io::tensor_to_write("layers.0.expert", {1}, one),
                                                             io::tensor_to_write("layers.0.token_id", {2}, two),
                                                             io::tensor_to_write("layers.0.count", {1}, counts)});
  EXPECT_THAT(error_of([&] { read_tensors<InputTokens>(io::SafetensorsFile::open(path), "layers.0."); }),
              HasSubstr("tensor layers.0.token_id: shape [2], expected [nnz] with nnz = 1"));
}

TEST(DescribedJson, LeavesLaterKeysUnreadAndRefusesWrongTypes) {
  const auto read = [](const char* text) { return from_json<DocumentLine>(Json::parse(text)); };
  EXPECT_EQ(read(R"({"doc_idx": 3, "id": "a", "domain": "", "n_tokens": 1, "n_traced": 0, "later": []})").doc_idx, 3);
  EXPECT_THAT(error_of([&] { read(R"({"doc_idx": 3})"); }), HasSubstr("no key \"id\""));
  EXPECT_THAT(error_of([&] { read(R"({"doc_idx": "x", "id": "a"})"); }),
              HasSubstr("\"doc_idx\" is not a whole number"));
}

TEST(Schema1, RecordingsAreRead) {
  const nlohmann::json run = read_run_json(kSchema1 / "record", "record");
  const ModelPart model = model_of(run, kSchema1 / "record");
  EXPECT_EQ(model.n_experts, 4);
  EXPECT_EQ(from_json<RecordRun>(Json(run)).corpus.n_tokens_run, 300);
  const std::vector<ExpertRow> experts = read_experts(kSchema1 / "record", model);
  ASSERT_EQ(experts.size(), 8u);
  EXPECT_EQ(experts[5].id.kind, kRouted);
  double load = 0;
  for (const ExpertRow& row : experts) load += row.id.layer == 0 ? row.load_frac.value_or(0) : 0;
  EXPECT_NEAR(load, 1, 1e-12);
  EXPECT_EQ(read_layers(kSchema1 / "record", model).size(), 2u);
  EXPECT_EQ(read_domains(kSchema1 / "record", model).size(), 2u * 4 * 2);
  EXPECT_EQ(read_labels(kSchema1 / "record", model).size(), 8u);
  EXPECT_EQ(read_vocabulary(kSchema1 / "record").size(), 264u);
  const auto trace = io::SafetensorsFile::open(kSchema1 / "record/trace.safetensors");
  EXPECT_EQ(read_tensors<TraceTokens>(trace).n, 300);
  EXPECT_EQ(read_tensors<TraceRouting>(trace, layer_prefix(1)).n_experts_per_token, 2);
  const auto evidence = read_tensors<Evidence>(io::SafetensorsFile::open(kSchema1 / "record/evidence.safetensors"));
  EXPECT_EQ(evidence.n_positions, 8);
  EXPECT_GT(evidence.n_windows, 8);
}

TEST(Schema1, ProbesSuperpositionSweepsAndLogsAreRead) {
  const std::vector<ProbeRow> probes = read_probes(kSchema1 / "probe_dense/probes.csv");
  ASSERT_FALSE(probes.empty());
  for (const ProbeRow& row : probes) EXPECT_TRUE(row.expert == 0 && row.kind == kDense);
  EXPECT_EQ(read_probes(kSchema1 / "probe/probes.csv").front().kind, kRouted);
  EXPECT_EQ(read_probe_controls(kSchema1 / "probe_dense/probe_controls.csv").back().variant, "matched");
  EXPECT_EQ(read_table<ProbeExpertRow>(kSchema1 / "probe/probe_experts.csv").size(), 8u);
  const auto samples =
      read_tensors<ProbeSamples>(io::SafetensorsFile::open(kSchema1 / "probe/probe_samples.safetensors"));
  EXPECT_EQ(samples.n_bounds, samples.n_windows + 1);
  EXPECT_EQ(from_json<ProbeRun>(Json(read_run_json(kSchema1 / "probe", "probe"))).concepts.size(), 3u);
  const auto superposition = read_table<SuperpositionRow>(kSchema1 / "superpose/superposition.csv");
  EXPECT_GT(superposition.front().load_frac, 0);  // it was called `share`
  EXPECT_FALSE(read_table<SuperpositionSummaryRow>(kSchema1 / "superpose/summary.csv").empty());
  EXPECT_EQ(read_table<InstanceRow>(kSchema1 / "toy/instances.csv").size(), 4u);
  EXPECT_EQ(read_table<ToyExpertRow>(kSchema1 / "toy/experts.csv").size(), 6u);
  EXPECT_EQ(read_table<FeatureRow>(kSchema1 / "toy/features.csv").size(), 12u);
  EXPECT_EQ(read_table<SpecializationRow>(kSchema1 / "toy/specialization.csv").size(), 6u);
  EXPECT_FALSE(read_table<LossRow>(kSchema1 / "toy/losses.csv").empty());
  EXPECT_EQ(read_table<TrainRow>(kSchema1 / "moe/train_log.csv").back().step, 4);
  EXPECT_EQ(read_table<ValidationRow>(kSchema1 / "moe/validation_log.csv").size(), 2u);
}

TEST(LaterColumns, AreLeftUnreadInEveryTable) {
  const TemporaryFolder folder;
  const auto with_later = [&](const char* name) {
    return folder.write(fs::path(name).filename().string(), with_later_column(kSchema1 / name));
  };
  EXPECT_EQ(read_table<ExpertRow>(with_later("record/experts.csv")).size(), 8u);
  EXPECT_FALSE(read_table<LayerRow>(with_later("record/layers.csv")).empty());
  EXPECT_FALSE(read_table<DomainRow>(with_later("record/domains.csv")).empty());
  EXPECT_FALSE(read_probes(with_later("probe/probes.csv")).empty());
  EXPECT_FALSE(read_probe_controls(with_later("probe/probe_controls.csv")).empty());
  EXPECT_FALSE(read_table<ProbeExpertRow>(with_later("probe/probe_experts.csv")).empty());
  EXPECT_FALSE(read_table<SuperpositionRow>(with_later("superpose/superposition.csv")).empty());
  EXPECT_FALSE(read_table<SuperpositionSummaryRow>(with_later("superpose/summary.csv")).empty());
  EXPECT_FALSE(read_table<InstanceRow>(with_later("toy/instances.csv")).empty());
  EXPECT_FALSE(read_table<TrainRow>(with_later("moe/train_log.csv")).empty());
}

// docs/run-directory.md holds the tables that the descriptions make.
TEST(Documentation, IsWhatTheDescriptionsSay) {
  const std::string text = io::read_file(fs::path(MOESCOPE_SOURCE_DIR) / "docs/run-directory.md");
  const std::string begin = "<!-- files -->\n", end = "<!-- /files -->\n";
  ASSERT_NE(text.find(begin), std::string::npos);
  const std::size_t from = text.find(begin) + begin.size(), to = text.find(end);
  ASSERT_NE(to, std::string::npos);
  if (text.substr(from, to - from) == documentation()) return;
  const fs::path wanted = fs::path(MOESCOPE_BINARY_DIR) / "run-directory.md";
  io::write_file_atomically(wanted, text.substr(0, from) + documentation() + text.substr(to));
  FAIL() << "docs/run-directory.md is out of date: copy " << wanted << " there";
}

}  // namespace
}  // namespace moescope::run
