#include "moescope/report/compare/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/file.h"
#include "moescope/io/table.h"
#include "moescope/report/compare/tables.h"
#include "tests/report/test_folder.h"

namespace moescope::report {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestFolder;

constexpr const char* kHeader = "concept,layer,expert,k,f1,recall,precision,num_positive,num_negative\n";

fs::path shared_probing() {
  const char* folder = std::getenv("MOESCOPE_SHARED_DATA");
  return fs::path(folder != nullptr ? folder : MOESCOPE_SOURCE_DIR "/../shared/data") / "moe_analysis/probing";
}

ProbeTable table_of(const TestFolder& folder, const std::string& rows) {
  io::write_file_atomically(folder.path() / "t.csv", kHeader + rows);
  return read_probe_csv(folder.path() / "t.csv");
}

std::string error_of_rows(const std::string& rows) {
  const TestFolder folder;
  try {
    table_of(folder, rows);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// Two layers of two experts; one expert of layer 1 was not fitted, in the words of published files.
constexpr const char* kMoe =
    "noun,0,0,1,0.5,0.5,0.5,60,60\nnoun,0,1,1,0.7,0.7,0.7,60,60\nnoun,1,0,1,0.8,0.8,0.8,60,60\n"
    "noun,1,1,1,Not Enough Samples,Not Enough Samples,Not Enough Samples,10,60\n"
    "verb,0,0,1,0.2,0.2,0.2,60,60\nverb,0,1,1,0.6,0.6,0.6,60,60\nverb,1,0,1,0.3,0.3,0.3,60,60\nverb,1,1,1,0.59,0.6,0.6,"
    "60,60\n"
    "x,0,0,1,,,,1,1\nx,0,1,1,,,,1,1\nx,1,0,1,,,,1,1\nx,1,1,1,,,,1,1\n";

TEST(ProbeTable, AgreesWithPandasOnPublishedFiles) {
  if (!fs::exists(shared_probing())) GTEST_SKIP() << "no published files beside the project";
  std::ifstream file(std::string(MOESCOPE_SOURCE_DIR) + "/tests/fixtures/report/published_best_layer.json");
  const nlohmann::json expected = nlohmann::json::parse(file);
  ASSERT_EQ(expected["files"].size(), 2u);
  for (const auto& [name, numbers] : expected["files"].items()) {
    const ProbeTable table = read_probe_csv(shared_probing() / name);
    EXPECT_EQ(table.n_rows, numbers["n_rows"].get<std::int64_t>());
    EXPECT_EQ(table.n_missing, numbers["n_missing"].get<std::int64_t>());
    EXPECT_EQ(table.concepts.size(), numbers["n_concepts"].get<std::size_t>());
    EXPECT_TRUE(table.is_dense);
    ASSERT_THAT(table.ks, ElementsAre(1, 2, 4, 8, 16, 32, 64));
    for (std::size_t i = 0; i < table.ks.size(); ++i) {
      const std::string k = std::to_string(table.ks[i]);
      for (const Aggregate aggregate : kAggregates) {  // equal for a dense model
        const ConceptValues values = best_layer_by_concept(table, i, aggregate);
        EXPECT_NEAR(mean_over_concepts(values, {100, 1})->value, numbers["mean_best_layer_f1"][k].get<double>(), 1e-12);
        EXPECT_NEAR(values.at("noun"), numbers["best_layer_f1_of_noun"][k].get<double>(), 1e-12);
      }
    }
  }
}

TEST(ProbeAggregates, AreAsComputedByHand) {
  const TestFolder folder;
  const ProbeTable table = table_of(folder, kMoe);
  EXPECT_EQ(table.n_rows, 12);
  EXPECT_EQ(table.n_missing, 5);
  EXPECT_FALSE(table.is_dense);
  const auto noun = [&](Aggregate aggregate) { return best_layer_by_concept(table, 0, aggregate).at("noun"); };
  const auto verb = [&](Aggregate aggregate) { return best_layer_by_concept(table, 0, aggregate).at("verb"); };
  EXPECT_DOUBLE_EQ(noun(Aggregate::kBestExpert), 0.8);
  EXPECT_DOUBLE_EQ(noun(Aggregate::kRandomExpert), 0.8);  // the only expert of layer 1 beats both of layer 0
  EXPECT_DOUBLE_EQ(noun(Aggregate::kMeanExpert), 0.8);
  EXPECT_DOUBLE_EQ(verb(Aggregate::kBestExpert), 0.6);
  EXPECT_NEAR(verb(Aggregate::kRandomExpert), (0.3 + 0.59 + 0.6 + 0.6) / 4, 1e-12);
  EXPECT_NEAR(verb(Aggregate::kMeanExpert), 0.445, 1e-12);
  EXPECT_EQ(best_layer_by_concept(table, 0, Aggregate::kBestExpert).count("x"), 0u);
  EXPECT_EQ(best_probe(table, 0, 0)->layer, 1);
  EXPECT_EQ(best_probe(table, 1, 0)->expert, 1);
  EXPECT_FALSE(best_probe(table, 2, 0));
}

TEST(ProbeAggregates, CountExpertsThatComeClose) {
  const TestFolder folder;
  std::vector<std::string> rows;
  for (const CloseExperts& row : experts_per_concept(table_of(folder, kMoe))) {
    rows.push_back(fmt::format("{} {} {}/{}{}", row.concept_name, row.layer, row.n_close, row.n_fitted,
                               row.is_best_layer ? " best" : ""));
  }
  EXPECT_THAT(rows, ElementsAre("noun 0 1/2", "noun 1 1/1 best", "verb 0 1/2 best", "verb 1 1/2"));
}

TEST(ProbeAggregates, DifferencesArePairedByConcept) {
  const ConceptValues a = {{"p", 0.5}, {"q", 0.9}, {"only_a", 0.1}}, b = {{"p", 0.4}, {"q", 0.7}, {"only_b", 1}};
  const stats::Estimate difference = mean_difference(a, b, {500, 3}).value();
  EXPECT_NEAR(difference.value, 0.15, 1e-12);
  EXPECT_EQ(difference.n, 2);
  EXPECT_GE(difference.interval.low, 0.1 - 1e-12);
  EXPECT_LE(difference.interval.high, 0.2 + 1e-12);
  EXPECT_FALSE(mean_difference(a, {{"z", 1}}, {500, 3}));
}

TEST(ProbeTable, SharedExpertsAreATableOfTheirOwn) {
  const TestFolder folder;
  const fs::path path = folder.path() / "t.csv";
  std::ofstream(path) << "concept,layer,expert,k,f1,recall,precision,num_positive,num_negative\n"
                         "digit,0,0,1,0.5,0.5,0.5,9,9\n"
                         "digit,0,1,1,0.25,0.5,0.5,9,9\n"
                         "digit,0,shared,1,0.75,0.5,0.5,9,9\n";
  const ProbeTable routed = read_probe_csv(path);
  EXPECT_EQ(routed.n_experts, std::vector<std::int64_t>{2});
  EXPECT_EQ(best_layer_f1(routed.scores[0][0], Aggregate::kBestExpert), 0.5);
  const auto shared = read_shared_probes(path);
  ASSERT_TRUE(shared);
  EXPECT_EQ(best_layer_f1(shared->scores[0][0], Aggregate::kBestExpert), 0.75);
  EXPECT_FALSE(shared->is_dense);
}

TEST(ProbeTable, BadFilesAreNamedWithTheRow) {
  EXPECT_THAT(error_of_rows("noun,0,0,1,1.5,0,0,60,60\n"),
              HasSubstr("t.csv, row 1: column 'f1': 1.5 is not in [0, 1]"));
  EXPECT_THAT(error_of_rows("noun,0,0,1,some,0,0,60,60\n"), HasSubstr("not a number"));
  EXPECT_THAT(error_of_rows("noun,0,0,1,nan,0,0,60,60\n"), HasSubstr("not in [0, 1]"));
  EXPECT_THAT(error_of_rows("noun,x,0,1,0.5,0,0,60,60\n"), HasSubstr("column 'layer'"));
  EXPECT_THAT(error_of_rows("noun,0,-1,1,0.5,0,0,60,60\n"), HasSubstr("out of range"));
  EXPECT_THAT(error_of_rows("noun,0,0,0,0.5,0,0,60,60\n"), HasSubstr("column 'k'"));
  EXPECT_THAT(error_of_rows(",0,0,1,0.5,0,0,60,60\n"), HasSubstr("column 'concept' is empty"));
  EXPECT_THAT(error_of_rows("noun,0,0,1,0.5,0,0,60,60\nnoun,0,0,1,0.5,0,0,60,60\n"), HasSubstr("there twice"));
  EXPECT_THAT(error_of_rows(""), HasSubstr("no probes"));
  EXPECT_THAT(error_of_rows("noun,0\n"), HasSubstr("fields"));
}

// A run directory with controls, as `probe` writes it.
void write_run(const fs::path& folder, bool dense) {
  fs::create_directories(folder);
  const std::string expert = dense ? "dense" : "0";
  const auto rows = [&](const std::string& variant, double add, const std::string& tail) {
    std::string text;
    for (const char* name : {"noun", "verb", "digit", "title"}) {
      for (int layer = 0; layer < 2; ++layer) {
        for (const std::string& e : dense ? std::vector<std::string>{"dense"} : std::vector<std::string>{"0", "1"}) {
          for (const int k : {1, 2}) {
            const double f1 = 0.3 + add + 0.1 * k + 0.05 * layer + (e == "1" ? 0.04 : 0) + (name[0] == 'n' ? 0.1 : 0);
            text += fmt::format("{}{},{},{},{},{},0.5,0.5,60,60{}\n", variant.empty() ? "" : variant + ",", name, layer,
                                e, k, f1, tail);
          }
        }
      }
    }
    return text;
  };
  io::write_file_atomically(folder / "probes.csv", kHeader + rows("", 0, ""));
  std::string controls = std::string("variant,") + kHeader;
  controls.pop_back();
  controls += ",validation_f1,status\n" + rows("select", -0.02, ",0.5,ok") +
              rows("shuffled", dense ? -0.15 : -0.2, ",,ok") + rows("half_a", 0, ",,ok") +
              rows("half_b", 0.01, ",,ok") + rows("shifted", -0.05, ",,ok");
  if (dense) controls += rows("matched", -0.1, ",,ok");
  io::write_file_atomically(folder / "probe_controls.csv", controls);
  io::write_file_atomically(
      folder / "run.json", nlohmann::json{{"schema", 1},
                                          {"model", {{"n_parameters", 100}, {"n_active_parameters", dense ? 100 : 25}}},
                                          {"probe", {{"mean_active_neurons", 12.5}}}}
                               .dump());
}

std::string first_bytes(const fs::path& path, std::size_t n) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(n, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(n));
  return bytes;
}

CompareOptions options_for(const TestFolder& folder) {
  write_run(folder.path() / "dense", true);
  write_run(folder.path() / "moe", false);
  CompareOptions options;
  options.inputs = {(folder.path() / "dense").string(), "It's \"moe\"=" + (folder.path() / "moe").string()};
  options.out = folder.path() / "out";
  options.bootstrap.n_resamples = 200;
  options.categories = {{"noun", "pos"}, {"verb", "pos"}, {"digit", "text"}};
  options.figures = false;
  return options;
}

TEST(Compare, WritesTablesWithControlsAndIntervals) {
  const TestFolder folder;
  const CompareResult result = compare(options_for(folder), {});
  const nlohmann::json& models = result.summary["models"];
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0]["name"], "dense");
  EXPECT_EQ(models[1]["name"], "It's \"moe\"");
  EXPECT_EQ(models[0]["active_frac"], 1);
  EXPECT_EQ(models[1]["active_frac"], 0.25);
  const nlohmann::json& moe = models[1]["measures"];
  EXPECT_NEAR(moe["best_expert"]["1"]["value"].get<double>(), 0.4 + 0.05 + 0.04 + 0.025, 1e-12);
  EXPECT_NEAR(moe["selectivity"]["1"]["value"].get<double>(), 0.2, 1e-12);
  EXPECT_NEAR(moe["halves_rank"]["2"]["value"].get<double>(), 1, 1e-12);
  EXPECT_NEAR(moe["shifted_rank"]["2"]["value"].get<double>(), 1, 1e-12);
  EXPECT_FALSE(moe.contains("matched"));
  EXPECT_NEAR(models[0]["measures"]["matched"]["1"]["value"].get<double>(), 0.3 + 0.05 + 0.025, 1e-12);
  // Validation ties: the lowest layer and expert is chosen, which is not the best one on the test part.
  EXPECT_NEAR(moe["select_then_test"]["1"]["value"].get<double>(), 0.38 + 0.025, 1e-12);
  EXPECT_NEAR(moe["select_best"]["1"]["value"].get<double>(), 0.38 + 0.09 + 0.025, 1e-12);
  std::map<std::string, double> differences;
  for (const nlohmann::json& row : result.summary["differences"]) {
    if (row["k"] == 1) differences[row["measure"]] = row["difference"]["value"];
  }
  EXPECT_NEAR(differences.at("best_expert"), 0.04, 1e-12);
  EXPECT_NEAR(differences.at("random_expert"), 0.02, 1e-12);
  EXPECT_NEAR(differences.at("best_expert_matched"), 0.14, 1e-12);
  EXPECT_NEAR(differences.at("select_then_test"), 0, 1e-12);
  EXPECT_NEAR(differences.at("selectivity"), 0.05, 1e-12);
  // Offsets from the main probes: select -0.02, shuffled -0.15 (dense) and -0.2.
  EXPECT_NEAR(moe["select_selectivity"]["1"]["value"].get<double>(), 0.18, 1e-12);
  EXPECT_NEAR(models[0]["measures"]["select_selectivity"]["1"]["value"].get<double>(), 0.13, 1e-12);
  EXPECT_NEAR(differences.at("select_selectivity"), 0.05, 1e-12);
  for (const char* name :
       {"curves.csv", "differences.csv", "concepts.csv", "experts_per_concept.csv", "compare.json"}) {
    EXPECT_TRUE(fs::exists(folder.path() / "out" / name)) << name;
  }
  EXPECT_FALSE(fs::exists(folder.path() / "out/curves.svg"));
  EXPECT_THAT(describe(result), HasSubstr("best_expert"));
}

TEST(Compare, DrawsEveryFigureAsSvgAndPng) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  const TestFolder folder;
  CompareOptions options = options_for(folder);
  options.figures = true;
  const CompareResult result = compare(options, {});
  EXPECT_THAT(result.notes, IsEmpty());
  for (const char* name : {"curves", "curves_by_category", "concept_scatter", "sparsity", "experts_per_concept",
                           "curves_normalised", "controls"}) {
    const fs::path base = options.out / name;
    EXPECT_EQ(first_bytes(base.string() + ".png", 4), "\x89PNG") << name;
    const std::string svg = io::read_file(base.string() + ".svg");
    EXPECT_THAT(svg, HasSubstr("<svg")) << name;
    EXPECT_THAT(svg, HasSubstr("</svg>")) << name;
    EXPECT_FALSE(fs::exists(base.string() + ".svg.tmp"));
  }
}

TEST(Compare, WithoutGnuplotTablesAreWrittenAndTheErrorSaysWhatToInstall) {
  const TestFolder folder;
  CompareOptions options = options_for(folder);
  options.figures = true;
  const std::string path = std::getenv("PATH");
  setenv("PATH", folder.path().c_str(), 1);
  try {
    compare(options, {});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kEnvironment);
    EXPECT_THAT(error.what(), HasSubstr("gnuplot-nox"));
  }
  setenv("PATH", path.c_str(), 1);
  EXPECT_TRUE(fs::exists(options.out / "curves.csv"));
  EXPECT_TRUE(fs::exists(options.out / "compare.json"));
}

TEST(Compare, WrongUseIsToldInOneLine) {
  const TestFolder folder;
  const auto error_of = [&](auto change) -> std::string {
    CompareOptions options = options_for(folder);
    change(options);
    try {
      compare(options, {});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of([](CompareOptions& options) { options.inputs.clear(); }),
              HasSubstr("option 'inputs' is missing"));
  EXPECT_THAT(error_of([](CompareOptions& options) { options.out.clear(); }), HasSubstr("option 'out' is missing"));
  EXPECT_THAT(error_of([](CompareOptions& options) { options.inputs[1] = options.inputs[0]; }), HasSubstr("NAME=PATH"));
  EXPECT_THAT(error_of([](CompareOptions& options) { options.active_fracs["dense"] = 2; }),
              HasSubstr("option 'active-frac' of 'dense' is 2"));
  EXPECT_THAT(error_of([](CompareOptions& options) { options.active_fracs["nobody"] = 0.5; }), HasSubstr("nobody"));
  EXPECT_THAT(error_of([](CompareOptions& options) { options.inputs[0] = "no/such"; }), HasSubstr("no/such"));
}

}  // namespace
}  // namespace moescope::report
