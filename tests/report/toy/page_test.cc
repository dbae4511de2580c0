// Pages of toy models from small run directories written by hand.
#include "moescope/report/toy/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>

#include "moescope/base/error.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/plot/panels.h"
#include "moescope/report/toy/curves.h"
#include "moescope/report/toy/geometry.h"
#include "moescope/report/toy/phase.h"
#include "moescope/report/toy/phase_cells.h"
#include "moescope/report/toy/specialization.h"
#include "moescope/run/run_directory.h"
#include "tests/report/test_folder.h"

namespace moescope::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestFolder;
using ::testing::ThrowsMessage;

// A sweep of architectures of one shape; models are added one by one.
struct ToyFiles {
  std::string experiment;
  std::int64_t n = 2, m = 1, n_experts = 1, n_active = 1;
  std::vector<std::string> names;
  std::string instances =
      "instance,architecture,density,importance_last,replicate,status,held_out_loss,last_batch_loss,best_held_out,"
      "fpd_published,fpd_gain_corrected,fpd_represented,mean_dimensionality,features_explained,n_represented,"
      "n_monosemantic,n_monosemantic_distinct,n_monosemantic_published\n";
  std::string experts = "instance,expert,use_nonzero\n";
  std::map<std::string, std::vector<float>> w, gate;
  std::map<std::string, std::vector<std::int64_t>> instance;
  std::int64_t n_models = 0;

  struct Model {
    std::string architecture;
    double density = 1, importance = 1, held_out = 0.1, last_batch = 0.1, fpd = 1;
    std::vector<float> w = {}, gate = {};
    std::vector<double> use = {};
    std::string status = "ok";
    int best = 0;
  };
  void add(const Model& model) {
    const bool ok = model.status == "ok";
    const std::string value = ok ? fmt::format("{}", model.fpd) : "";
    instances += fmt::format("{},{},{},{},0,{},{},{},{},{},{},{},{},{},2,1,1,2\n", n_models, model.architecture,
                             model.density, model.importance, model.status, ok ? fmt::format("{}", model.held_out) : "",
                             model.last_batch, model.best, value, value, value, value, value);
    for (std::size_t e = 0; e < model.use.size(); ++e) {
      experts += fmt::format("{},{},{}\n", n_models, e, model.use[e]);
    }
    w[model.architecture].insert(w[model.architecture].end(), model.w.begin(), model.w.end());
    gate[model.architecture].insert(gate[model.architecture].end(), model.gate.begin(), model.gate.end());
    instance[model.architecture].push_back(n_models++);
  }
  void write(const std::filesystem::path& folder) const {
    nlohmann::json architectures = nlohmann::json::array();
    std::vector<io::TensorToWrite> tensors;
    for (const std::string& name : names) {
      architectures.push_back(
          {{"name", name}, {"n_features", n}, {"n_dims", m}, {"n_experts", n_experts}, {"n_active", n_active}});
      const auto n_instances = static_cast<std::int64_t>(instance.at(name).size());
      tensors.push_back(io::tensor_to_write(name + ".instance", {n_instances}, instance.at(name)));
      tensors.push_back(io::tensor_to_write(name + ".w", {n_instances, n_experts, n, m}, w.at(name)));
      tensors.push_back(io::tensor_to_write(name + ".gate", {n_instances, n_experts, n}, gate.at(name)));
    }
    io::write_safetensors(folder / "weights.safetensors", tensors);
    io::write_file_atomically(folder / "instances.csv", instances);
    io::write_file_atomically(folder / "experts.csv", experts);
    const nlohmann::json run = {{"schema", run::kSchema},
                                {"command", "toy"},
                                {"settings", {{"experiment", experiment}, {"architectures", architectures}}}};
    io::write_file_atomically(folder / "run.json", run.dump());
  }
};

std::optional<PageNumber> find(const ToyPage& page, const std::string& quantity, const std::string& architecture) {
  for (const PageNumber& number : page.numbers) {
    if (number.quantity == quantity && number.architecture == architecture) return number;
  }
  return std::nullopt;
}

const plot::Figure* figure_of(const ToyPage& page, const std::string& name) {
  for (const plot::Figure& figure : page.figures) {
    if (figure.name == name) return &figure;
  }
  return nullptr;
}

TEST(ToyTable, ReadsNumbersWhenAskedAndNamesWhatIsWrong) {
  const TestFolder folder;
  const std::filesystem::path path = folder.path() / "t.csv";
  io::write_file_atomically(path, "name,value\na,1.5\nb,\nc,x\n");
  const ToyTable table = ToyTable::read(path);
  EXPECT_EQ(table.n_rows(), 3u);
  EXPECT_EQ(table.real("value", 0), 1.5);
  EXPECT_EQ(table.real("value", 1), std::nullopt);
  EXPECT_THAT([&] { table.real("value", 2); }, ThrowsMessage<Error>(HasSubstr("row 3: value is 'x'")));
  EXPECT_THAT([&] { table.integer("value", 0); }, ThrowsMessage<Error>(HasSubstr("whole number")));
  EXPECT_THAT([&] { table.text("other", 0); }, ThrowsMessage<Error>(HasSubstr("no column 'other'")));
  EXPECT_THROW(ToyTable::read(folder.path() / "absent.csv"), Error);
}

TEST(ToyPage, GivesARangeOfFewValuesAndAnIntervalOfMany) {
  const auto few = mean_number("q", "a", 0.1, {1, 2, 6});
  EXPECT_DOUBLE_EQ(few->value, 3);
  EXPECT_DOUBLE_EQ(few->low, 1);
  EXPECT_DOUBLE_EQ(few->high, 6);
  EXPECT_EQ(few->status, "range");
  const auto many = mean_number("q", "a", 0.1, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(many->status, "ok");
  EXPECT_GT(many->low, 1);
  EXPECT_LT(many->high, 6);
  EXPECT_FALSE(mean_number("q", "a", 0.1, {}));
}

TEST(ToyPage, ChecksExpectationsAndCountsWhatIsAbsent) {
  const TestFolder folder;
  const std::filesystem::path path = folder.path() / "expected.csv";
  io::write_file_atomically(path, "quantity,architecture,density,least,most\nq,a,0.1,0.9,1.1\nq,a,0.2,5,6\nr,a,,0,1\n");
  const std::vector<PageNumber> numbers = {{"q", "a", 0.1, 1, 1, 1, 1, "ok"}, {"q", "a", 0.2, 1, 1, 1, 1, "ok"}};
  const CheckResult result = check_expectations(numbers, read_expectations(path));
  EXPECT_EQ(result.n_failed, 2);
  EXPECT_THAT(result.text, HasSubstr("ok       q (a, density 0.1): 1 [1, 1]"));
  EXPECT_THAT(result.text, HasSubstr("OUTSIDE  q (a, density 0.2)"));
  EXPECT_THAT(result.text, HasSubstr("absent   r (a)"));
  io::write_file_atomically(path, "quantity,architecture,density,least,most\nq,a,0.1,2,1\n");
  EXPECT_THAT([&] { read_expectations(path); }, ThrowsMessage<Error>(HasSubstr("two numbers in order")));
  io::write_file_atomically(path, "quantity,architecture,density,least,most\n");
  EXPECT_THAT([&] { read_expectations(path); }, ThrowsMessage<Error>(HasSubstr("expects nothing")));
}

// Two experts, one dimension, three importances, two sparsities. The last feature's norm in the expert that handles it
// is 0, 0.2, 1 in the first row and 0.5, 0.6, 0.7 in the second; which expert that is changes from cell to cell.
ToyFiles two_expert_phase() {
  ToyFiles files;
  files.experiment = "phase";
  files.n_experts = 2;
  files.names = {"E2"};
  const double norms[2][3] = {{0, 0.2, 1}, {0.5, 0.6, 0.7}};
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 3; ++column) {
      for (int seed = 0; seed < 2; ++seed) {
        const bool swapped = (row + column) % 2 == 1;
        const auto norm = static_cast<float>(seed == 0 ? norms[row][column] : 9.0);
        ToyFiles::Model model{"E2", row == 0 ? 0.9 : 0.5, 1.0 + column, seed == 0 ? 0.1 : 0.3, seed == 0 ? 0.3 : 0.1};
        // The handler holds the last feature alone, the other expert both features as an antipodal pair.
        const std::vector<float> handler = {0, norm}, other = {1, -1};
        const std::vector<float>& first = swapped ? other : handler;
        const std::vector<float>& second = swapped ? handler : other;
        model.w = {first[0], first[1], second[0], second[1]};
        model.gate = swapped ? std::vector<float>{0, 1, 0, 2} : std::vector<float>{0, 2, 0, 1};
        model.use = {0.5, row == 1 && column == 2 ? 0.01 : 0.5};
        files.add(model);
      }
    }
  }
  return files;
}

TEST(ToyPhase, NumbersFollowTheExpertThatHandlesTheFeature) {
  const TestFolder folder;
  two_expert_phase().write(folder.path());
  const ToyRun run = read_toy_run(folder.path());
  const PhaseCells cells = read_phase_cells(run, 0);
  ASSERT_EQ(cells.n_rows(), 2u);
  EXPECT_NEAR(cells.sparsities[0], 0.1, 1e-12);
  const PhaseNumbers best = phase_numbers(cells, choose_best(cells, false));
  EXPECT_NEAR(*best.largest_jump, (0.8 + 0.1) / 2, 1e-6);
  EXPECT_NEAR(*best.excess_variation, 0, 1e-6);
  // Classes of role 0: ignored, ignored, mono / mono, mono, mono: of 7 pairs 1-2, 0-3 and 1-4 differ.
  EXPECT_NEAR(*best.disagreement, 3.0 / 7, 1e-9);
  // Expert 0 holds the antipodal pair in every other cell: superposed next to something else, always.
  EXPECT_NEAR(*best.disagreement_by_index, 1, 1e-9);
  EXPECT_NEAR(*best.dead_expert_cells, 1.0 / 6, 1e-9);
  EXPECT_NEAR(*seed_loss_ratio(cells), 3, 1e-9);
  // By the last batch the other seed is chosen: its norm is 9 everywhere.
  EXPECT_NEAR(*phase_numbers(cells, choose_best(cells, true)).largest_jump, 0, 1e-6);
}

TEST(ToyPhase, DiagonalOfASinglePanelIsDrawnRowByRow) {
  const TestFolder folder;
  two_expert_phase().write(folder.path());
  const ToyRun run = read_toy_run(folder.path());
  ToyPage page;
  add_phase_maps(run, page);
  const plot::Figure* figure = figure_of(page, "phase");
  ASSERT_NE(figure, nullptr);
  // Importances 1, 2, 3 at the smallest sparsity come first: ignored, ignored, monosemantic.
  EXPECT_THAT(figure->data, HasSubstr("1 0.09999999999999998 0\n2 0.09999999999999998 0\n3 0.09999999999999998 1\n"));
  EXPECT_THAT(figure->body, HasSubstr("role 0 (handles it)"));
  EXPECT_EQ(figure_of(page, "phase_published_colours"), nullptr);
  const auto jump = find(page, "largest_jump", "E2");
  ASSERT_TRUE(jump);
  EXPECT_EQ(jump->n, 2);
  EXPECT_LE(jump->low, jump->value);
}

TEST(ToyPhase, RefusesWeightsOfAnotherShape) {
  const TestFolder folder;
  ToyFiles files = two_expert_phase();
  files.write(folder.path());
  files.m = 1;
  nlohmann::json run = nlohmann::json::parse(io::read_file(folder.path() / "run.json"));
  run["settings"]["architectures"][0]["n_dims"] = 2;
  io::write_file_atomically(folder.path() / "run.json", run.dump());
  const ToyRun read = read_toy_run(folder.path());
  EXPECT_THAT([&] { read_phase_cells(read, 0); }, ThrowsMessage<Error>(HasSubstr("another shape")));
}

ToyFiles curves_of_two() {
  ToyFiles files;
  files.experiment = "features_per_dimension";
  files.names = {"dense", "other"};
  for (const char* name : {"dense", "other"}) {
    for (const double density : {1.0, 0.1}) {
      for (int seed = 0; seed < 3; ++seed) {
        ToyFiles::Model model{name, density, 1, 0.1, 0.1, 1 / density + seed};
        model.w = {1, 0};
        model.gate = {0, 0};
        model.use = {1};
        if (seed == 2 && density == 1) model.status = "diverged";
        files.add(model);
      }
    }
  }
  return files;
}

TEST(ToyCurves, AverageSeedsThatDidNotDiverge) {
  const TestFolder folder;
  curves_of_two().write(folder.path());
  ToyPage page;
  add_density_curves(read_toy_run(folder.path()), page);
  std::map<double, PageNumber> by_density;
  for (const PageNumber& number : page.numbers) {
    if (number.quantity == "fpd_published" && number.architecture == "other") by_density[*number.density] = number;
  }
  EXPECT_DOUBLE_EQ(by_density[1].value, 1.5);
  EXPECT_EQ(by_density[1].n, 2);
  EXPECT_DOUBLE_EQ(by_density[0.1].value, 11);
  EXPECT_DOUBLE_EQ(by_density[0.1].high, 12);
  const auto explained = find(page, "features_explained", "dense");
  EXPECT_DOUBLE_EQ(explained->value, explained->density == 1.0 ? 1.5 / 2 : 11.0 / 2);  // over n = 2 features
}

TEST(ToyCurves, PutFamiliesIntoOneFigureAndTheRestIntoAnother) {
  const TestFolder folder;
  ToyFiles files = curves_of_two();
  files.experiment = "sparsity_sweep";
  for (std::string* text : {&files.instances}) {
    for (std::size_t at = 0; (at = text->find("other", at)) != std::string::npos;) text->replace(at, 5, "width-E1");
  }
  files.names[1] = "width-E1";
  for (auto* map : {&files.w, &files.gate}) (*map)["width-E1"] = map->at("other");
  files.instance["width-E1"] = files.instance.at("other");
  files.write(folder.path());
  ToyPage page;
  add_sweep_curves(read_toy_run(folder.path()), page);
  ASSERT_EQ(page.figures.size(), 2u);
  EXPECT_EQ(page.figures[0].name, "sparsity_sweep");
  EXPECT_THAT(page.figures[1].body, HasSubstr("'dense'"));
  EXPECT_THAT(page.figures[1].body, Not(HasSubstr("width-E1")));
}

TEST(ToyGeometry, DrawsTheBestSeedOfEachArchitecture) {
  const TestFolder folder;
  ToyFiles files;
  files.experiment = "geometry";
  files.n = 3;
  files.m = 2;
  files.names = {"dense"};
  for (int seed = 0; seed < 2; ++seed) {
    ToyFiles::Model model{"dense", 0.1};
    model.best = seed;
    model.w = {1, 0, static_cast<float>(seed), 0, 0, 0.75f};
    model.gate = {0, 0, 0};
    model.use = {1};
    files.add(model);
  }
  files.write(folder.path());
  ToyPage page;
  add_geometry(read_toy_run(folder.path()), page);
  const plot::Figure* gram = figure_of(page, "gram_dense");
  ASSERT_NE(gram, nullptr);
  // Row 0 of the Gram matrix stands at the top, y = 0 of a reversed axis: 1, 1 (the second seed), 0.
  EXPECT_THAT(gram->data, HasSubstr("0 0 1\n1 0 1\n2 0 0\n"));
  EXPECT_THAT(gram->data, HasSubstr("2 2 0.5625\n"));
  ASSERT_NE(figure_of(page, "arrows_dense"), nullptr);
  EXPECT_THAT(figure_of(page, "norms_dense")->data, HasSubstr("2 0.75 0\n"));
}

TEST(ToySpecialization, AveragesUseByOwnFeaturesOverModels) {
  const TestFolder folder;
  ToyFiles files;
  files.experiment = "specialization";
  files.names = {"xavier"};
  std::string table =
      "instance,architecture,use,n_own,use_clamped,use_clamped_full,use_only,n_own_published,use_clamped_published,"
      "use_clamped_full_published,use_only_published\n";
  for (int model = 0; model < 6; ++model) {
    ToyFiles::Model one{"xavier"};
    one.w = {1, 0};
    one.gate = {0, 0};
    one.use = {1};
    files.add(one);
    table += fmt::format("{},xavier,0.1,1,0.4,0.2,0.9,7,0.5,0.5,0.5\n{},xavier,0.1,0,,,,0,,,\n", model, model);
  }
  files.write(folder.path());
  io::write_file_atomically(folder.path() / "specialization.csv", table);
  ToyPage page;
  add_specialization(read_toy_run(folder.path()), page);
  EXPECT_DOUBLE_EQ(find(page, "mono_0_share", "xavier")->value, 0.5);
  EXPECT_DOUBLE_EQ(find(page, "mono_1_share", "xavier")->value, 0.5);
  EXPECT_DOUBLE_EQ(find(page, "use_clamped_1", "xavier")->value, 0.4);
  EXPECT_NEAR(find(page, "lift_1", "xavier")->value, 4, 1e-12);
  EXPECT_EQ(find(page, "lift_1", "xavier")->n, 6);
  EXPECT_FALSE(find(page, "use_clamped_0", "xavier"));
  // Seven own features count as four or more.
  EXPECT_DOUBLE_EQ(find(page, "use_clamped_4_published", "xavier")->value, 0.5);
}

TEST(ToyPage, WritesFiguresAndNumbersOfARun) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "gnuplot is not installed";
  const TestFolder folder;
  curves_of_two().write(folder.path());
  write_toy_page(folder.path());
  for (const char* name : {"page.csv", "features_per_dimension.svg", "features_per_dimension.png"}) {
    EXPECT_TRUE(std::filesystem::exists(folder.path() / name)) << name;
  }
}

TEST(ToyPage, RefusesFoldersOfSomethingElse) {
  const TestFolder folder;
  EXPECT_THROW(write_toy_page(folder.path()), Error);
  io::write_file_atomically(folder.path() / "run.json", R"({"schema": 1, "command": "probe"})");
  EXPECT_THAT([&] { write_toy_page(folder.path()); }, ThrowsMessage<Error>(HasSubstr("`moescope toy`")));
  io::write_file_atomically(folder.path() / "run.json", R"({"schema": 1, "command": "toy", "settings": {}})");
  EXPECT_THAT([&] { write_toy_page(folder.path()); }, ThrowsMessage<Error>(HasSubstr("experiment")));
}

}  // namespace
}  // namespace moescope::report
