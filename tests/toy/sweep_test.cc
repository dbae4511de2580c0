// Sweeps from a settings file to tables and back; wrong settings; stopping and going on.
#include "moescope/toy/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/run_directory.h"
#include "moescope/toy/measure.h"
#include "moescope/toy/summary.h"

namespace moescope::toy {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// One column of a CSV file without quoted fields.
std::vector<std::string> column_of(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  const auto fields = [](const std::string& line) {
    std::vector<std::string> all = {""};
    for (const char c : line) {
      if (c == ',') {
        all.emplace_back();
      } else {
        all.back() += c;
      }
    }
    return all;
  };
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> header = fields(line);
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) throw input_error("{} has no column {}", path.string(), name);
  std::vector<std::string> values;
  while (std::getline(file, line)) values.push_back(fields(line).at(static_cast<std::size_t>(found - header.begin())));
  return values;
}

class Sweep : public testing::Test {
 protected:
  Sweep() : folder_(fs::temp_directory_path() / ("moescope-toy-" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Sweep() override {
    set_interrupted(0);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  fs::path write(const std::string& text) const {
    std::ofstream(folder_ / "settings.toml") << text;
    return folder_ / "settings.toml";
  }
  SweepSettings read(const std::string& text) const { return read_sweep_settings(write(text)); }
  std::string error_of(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      return error.what();
    }
    return "no error";
  }

  fs::path folder_;
  Console console_;
};

const char* const kSmall = R"(
# Two architectures, two densities, two importances, three seeds: 24 models.
n_features = 3
n_dims = 1
steps = 60
batch = 32
densities = [0.9, 0.2]
importance = "last"
importance_last = [0.5, 2]
seeds = 3
eval_samples = 500
loss_every = 20
write_features = true

[[architecture]]
name = "dense"

[[architecture]]
name = "moe"
n_experts = 2
ties = "random"
balance_coef = 0.01
)";

TEST_F(Sweep, SettingsAreReadWithDefaultsForAllArchitectures) {
  const SweepSettings s = read(kSmall);
  ASSERT_EQ(s.architectures.size(), 2u);
  EXPECT_EQ(s.architectures[0].architecture.n_features, 3);
  EXPECT_EQ(s.architectures[1].architecture.n_experts, 2);
  EXPECT_EQ(s.architectures[1].architecture.ties, TieRule::kRandom);
  EXPECT_EQ(s.architectures[0].training.balance_coef, 0);
  EXPECT_EQ(s.architectures[1].training.balance_coef, 0.01);
  EXPECT_EQ(s.architectures[1].training.n_steps, 60);
  EXPECT_EQ(s.architectures[1].training.lr, 1e-3);
  const std::vector<SweepInstance> instances = sweep_instances(s);
  ASSERT_EQ(instances.size(), 24u);
  EXPECT_EQ(instances[23].cell, 7);
  EXPECT_THAT(instances[23].instance.importance, testing::ElementsAre(1, 1, 2));
}

TEST_F(Sweep, RangesAreEvenlySpaced) {
  const SweepSettings s = read(
      "density_range = [0.975, 0.025, 39]\nimportance = \"last\"\nimportance_last_range = [0.1, 2.95, 58]\n"
      "[[architecture]]\nname = \"a\"\n");
  ASSERT_EQ(s.densities.size(), 39u);
  EXPECT_EQ(s.densities[27], 0.3);
  EXPECT_EQ(s.importance_last[4], 0.3);
}

TEST_F(Sweep, SeedsDependOnWhatAnInstanceIsNotOnItsPlace) {
  SweepSettings s = read(kSmall);
  const std::vector<SweepInstance> before = sweep_instances(s);
  s.densities.insert(s.densities.begin(), 0.5);
  s.n_seeds = 1;
  const std::vector<SweepInstance> after = sweep_instances(s);
  EXPECT_EQ(after[2].instance.density, 0.9);
  EXPECT_EQ(after[2].instance.seed, before[0].instance.seed);
  EXPECT_NE(before[0].instance.seed, before[1].instance.seed);
  EXPECT_NE(before[0].instance.seed, before[12].instance.seed);
}

TEST_F(Sweep, ImportancesFollowTheirRule) {
  SweepSettings s =
      read("n_features = 4\nimportance = \"geometric\"\nimportance_ratio = 0.5\n[[architecture]]\nname = \"a\"\n");
  EXPECT_THAT(sweep_instances(s)[0].instance.importance, testing::ElementsAre(1, 0.5, 0.25, 0.125));
  s.importance = ImportanceKind::kShuffledGeometric;
  EXPECT_THAT(sweep_instances(s)[0].instance.importance, testing::UnorderedElementsAre(1, 0.5, 0.25, 0.125));
  s = read("n_features = 2\nimportance = \"values\"\nimportance_values = [3, 0]\n[[architecture]]\nname = \"a\"\n");
  EXPECT_THAT(sweep_instances(s)[0].instance.importance, testing::ElementsAre(3, 0));
}

TEST_F(Sweep, WrongSettingsAreNamed) {
  const std::string one = "[[architecture]]\nname = \"a\"\n";
  EXPECT_THAT(error_of(one + "n_actve = 1\n"),
              AllOf(HasSubstr("settings.toml"), HasSubstr("'n_actve' is not a setting")));
  EXPECT_THAT(error_of("sedes = 2\n" + one), HasSubstr("'sedes' is not a setting of a sweep"));
  EXPECT_THAT(error_of(one + "densities = [0.5]\n"), HasSubstr("'densities' is not a setting of an architecture"));
  EXPECT_THAT(error_of("seeds = 2\nseed = 1\nseeds = 3\n" + one), AllOf(HasSubstr("line 3"), HasSubstr("seeds")));
  EXPECT_THAT(error_of("seeds = [2, 3]\n" + one), HasSubstr("line 1: seeds takes one value, not a list"));
  EXPECT_THAT(error_of("densities = [0.5]\ndensity_range = [0.1, 1, 3]\n" + one),
              HasSubstr("densities cannot be given together with density_range"));
  EXPECT_THAT(error_of("density_range = [0.1, 1]\n" + one), HasSubstr("density_range: expected [first, last, number"));
  EXPECT_THAT(error_of("[train]\nsteps = 2\n" + one), HasSubstr("table 'train' is unknown"));
  EXPECT_THAT(error_of("seeds = \"many\"\n" + one), HasSubstr("seeds: 'many' is not a whole number"));
  EXPECT_THAT(error_of("seeds = 2.5\n" + one), HasSubstr("not a whole number"));
  EXPECT_THAT(error_of("lr = 1e-3x\n" + one), HasSubstr("line 1"));
  EXPECT_THAT(error_of("lr = \"fast\"\n" + one), HasSubstr("lr: 'fast' is not a number"));
  EXPECT_THAT(error_of("gate = \"soft\"\n" + one), HasSubstr("'soft' is unknown; one of: renormalized, switch"));
  EXPECT_THAT(error_of("write_features = 1\n" + one), HasSubstr("neither true nor false"));
  EXPECT_THAT(error_of("experiment = \"x\"\n" + one),
              HasSubstr("experiment: 'x' is unknown; one of: features_per_dimension"));
  EXPECT_THAT(error_of("seeds = 2\n"), HasSubstr("no [[architecture]]"));
  EXPECT_THAT(error_of(one + one), HasSubstr("two architectures have the name 'a'"));
  EXPECT_THAT(error_of("[[architecture]]\nn_dims = 1\n"), HasSubstr("name ''"));
  EXPECT_THROW(read_sweep_settings(folder_ / "absent.toml"), Error);
}

TEST_F(Sweep, ImpossibleModelsAreRefused) {
  const auto error_with = [&](const std::string& line) {
    return error_of(line + "\n[[architecture]]\nname = \"a\"\n");
  };
  EXPECT_THAT(error_with("n_active = 0"), HasSubstr("line 1: n_active is 0, expected at least 1"));
  EXPECT_THAT(error_with("n_experts = 2\nn_active = 3"), HasSubstr("n_active is 3, expected at most n_experts = 2"));
  EXPECT_THAT(error_with("n_experts = 0"), HasSubstr("n_experts is 0"));
  EXPECT_THAT(error_with("n_features = 0"), HasSubstr("n_features is 0"));
  EXPECT_THAT(error_with("n_dims = 0"), HasSubstr("n_dims is 0"));
  EXPECT_THAT(error_with("n_dims = -3"), HasSubstr("n_dims is -3"));
  EXPECT_THAT(error_with("n_features = 9000000000"), HasSubstr("n_features is 9000000000"));
  EXPECT_THAT(error_with("n_features = 60000\nn_dims = 16000\nn_experts = 4000"), HasSubstr("parameters, at most"));
  EXPECT_THAT(error_with("seeds = 9223372036854775807"), HasSubstr("more than 1000000 models"));
  EXPECT_THAT(error_with("n_features = 1000\nn_dims = 1000\nseeds = 100000"), HasSubstr("in all models together"));
  EXPECT_THAT(error_with("densities = [0]"), HasSubstr("densities is 0, expected above 0 and at most 1"));
  EXPECT_THAT(error_with("densities = [0.5, 1.5]"), HasSubstr("densities is 1.5"));
  EXPECT_THAT(error_with("densities = [-0.1]"), HasSubstr("densities is -0.1"));
  EXPECT_THAT(error_with("densities = [nan]"), HasSubstr("densities: nan is not a finite number"));
  EXPECT_THAT(error_with("eval_density = 2"), HasSubstr("eval_density is 2"));
  EXPECT_THAT(error_with("eval_samples = 0"), HasSubstr("eval_samples is 0"));
  EXPECT_THAT(error_with("importance = \"values\"\nimportance_values = [1]"), HasSubstr("importance has 1 values"));
  EXPECT_THAT(error_with("importance = \"values\"\nimportance_values = [1, -1]"), HasSubstr("importance_values is -1"));
  EXPECT_THAT(error_with("importance_values = [1, 1]"), HasSubstr("importance is 'ones'"));
  EXPECT_THAT(error_with("gate_init = \"blocks\"\nn_experts = 3"), HasSubstr("multiple of n_experts = 3"));
  EXPECT_THAT(error_with("gate = \"hash\"\nbalance_coef = 0.1"), HasSubstr("no probabilities to balance"));
  EXPECT_THAT(error_with("group_correlation = 0.5"), HasSubstr("set group_size"));
  EXPECT_THAT(error_with("n_top_activations = 2"), HasSubstr("n_top_activations is 2"));
  EXPECT_THAT(error_with("steps = 0"), HasSubstr("steps is 0"));
  EXPECT_THAT(error_with("n_features = 60000\nbatch = 1000000"), HasSubstr("batch is 1000000"));
  EXPECT_THAT(error_with("lr = 0"), HasSubstr("lr is 0"));
  EXPECT_THAT(error_with("beta2 = 1"), HasSubstr("beta2 is 1"));
}

TEST_F(Sweep, WritesTablesAndTensorsThatAgree) {
  const SweepSettings settings = read(kSmall);
  const fs::path out = folder_ / "run";
  const SweepResult result = run_sweep(settings, out, {}, console_);
  EXPECT_FALSE(fs::exists(out / "DONE"));
  write_sweep(result, out, {});
  EXPECT_TRUE(fs::exists(out / "DONE"));
  EXPECT_FALSE(fs::exists(out / "resume"));

  const std::vector<std::string> losses = column_of(out / "instances.csv", "held_out_loss");
  const std::vector<std::string> best = column_of(out / "instances.csv", "best_held_out");
  const std::vector<std::string> cells = column_of(out / "instances.csv", "cell");
  ASSERT_EQ(losses.size(), 24u);
  for (std::size_t cell = 0; cell < 8; ++cell) {
    double lowest = 1e9;
    std::size_t winner = 0;
    for (std::size_t i = 3 * cell; i < 3 * cell + 3; ++i) {
      EXPECT_EQ(cells[i], std::to_string(cell));
      if (std::stod(losses[i]) < lowest) {
        lowest = std::stod(losses[i]);
        winner = i;
      }
    }
    for (std::size_t i = 3 * cell; i < 3 * cell + 3; ++i) EXPECT_EQ(best[i], i == winner ? "1" : "0");
  }
  const io::SafetensorsFile weights = io::SafetensorsFile::open(out / "weights.safetensors");
  EXPECT_THAT(weights.at("moe.w").shape, testing::ElementsAre(12, 2, 3, 1));
  EXPECT_EQ(weights.at("moe.instance").to_vector<std::int64_t>().front(), 12);
  const auto w = weights.at("moe.w").to_vector<float>();
  EXPECT_EQ(w[6], result.instances[13].trained.trained.w[0]);
  EXPECT_NE(weights.at("moe.initial.w").to_vector<float>()[6], w[6]);
  const nlohmann::json run = run::read_run_json(out);
  EXPECT_EQ(run.at("command"), "toy");
  EXPECT_EQ(run.at("settings"), to_json(settings));
  EXPECT_EQ(column_of(out / "features.csv", "feature").size(), 12u * 3 + 12u * 6);
  EXPECT_EQ(column_of(out / "losses.csv", "loss").size(), 24u * 4);
}

TEST_F(Sweep, MeasuresOfAnInstanceAreThoseOfItsWeights) {
  SweepSettings settings = read(kSmall);
  const SweepResult result = run_sweep(settings, folder_ / "run", {}, console_);
  const SweepInstance& each = result.instances.front();
  double squares = 0;
  for (const float value : each.trained.trained.w) squares += static_cast<double>(value) * static_cast<double>(value);
  EXPECT_NEAR(measure(settings, each).model.published, squares, 1e-9);  // one dimension, one expert
  const std::vector<SummaryRow> rows = summarize(result);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[3].architecture, "moe");
  EXPECT_EQ(rows[3].n_models, 6);
  EXPECT_LE(*rows[3].best_held_out_loss, *rows[3].published_held_out_loss);
  EXPECT_THAT(describe(rows), HasSubstr("moe"));
}

TEST_F(Sweep, DivergedModelsAreCountedAndHaveNoNumbers) {
  const SweepSettings settings = read(
      "steps = 30\nbatch = 16\neval_samples = 100\nseeds = 2\n[[architecture]]\nname = \"good\"\n"
      "[[architecture]]\nname = \"bad\"\nlr = 1e20\n");
  const fs::path out = folder_ / "run";
  const SweepResult result = run_sweep(settings, out, {}, console_);
  write_sweep(result, out, {});
  EXPECT_THAT(result.warnings, testing::ElementsAre(HasSubstr("bad: 2 of 2 models diverged")));
  const auto column = [&](const char* name) { return column_of(out / "instances.csv", name); };
  EXPECT_THAT(column("status"), testing::ElementsAre("ok", "ok", "diverged", "diverged"));
  EXPECT_NE(column("held_out_loss")[0], "");
  EXPECT_EQ(column("held_out_loss")[2], "");
  EXPECT_NE(column("diverged_step")[2], "");
  EXPECT_EQ(run::read_run_json(out).at("n_diverged"), 2);
  EXPECT_FALSE(summarize(result)[1].held_out_loss.has_value());
}

TEST_F(Sweep, ARouterWithoutGradientIsSaid) {
  const SweepSettings settings = read(
      "steps = 5\nbatch = 16\neval_samples = 100\n[[architecture]]\nname = \"a\"\nn_experts = 2\nn_features = 4\n"
      "[[architecture]]\nname = \"asked\"\nn_experts = 2\nn_features = 4\ngate = \"frozen\"\n");
  const SweepResult result = run_sweep(settings, folder_ / "run", {}, console_);
  EXPECT_THAT(result.warnings, testing::Contains(HasSubstr("a: the router receives no gradient")));
  EXPECT_THAT(result.warnings, testing::Not(testing::Contains(HasSubstr("asked: the router"))));
}

std::vector<float> all_weights(const SweepResult& result) {
  std::vector<float> all;
  for (const SweepInstance& each : result.instances) {
    all.insert(all.end(), each.trained.trained.w.begin(), each.trained.trained.w.end());
    all.push_back(each.trained.last_batch_loss);
    all.push_back(static_cast<float>(each.evaluation.loss));
    all.push_back(static_cast<float>(each.trained.loss_curve.size()));
  }
  return all;
}

TEST_F(Sweep, GoesOnWhereItWasStopped) {
  SweepSettings settings = read(kSmall);
  settings.n_seeds = 20;  // several groups of every architecture
  const SweepResult whole = run_sweep(settings, folder_ / "whole", {}, console_);
  const fs::path out = folder_ / "stopped";
  set_interrupted(SIGINT);
  try {
    run_sweep(settings, out, {}, console_);
    FAIL() << "not interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInterrupted);
    EXPECT_THAT(error.what(), HasSubstr("the same command goes on"));
  }
  set_interrupted(0);
  // As if it had been killed after some groups.
  run_sweep(settings, out, {}, console_);
  std::vector<fs::path> groups;
  for (const auto& entry : fs::directory_iterator(out / "resume")) {
    if (entry.path().extension() == ".safetensors") groups.push_back(entry.path());
  }
  std::sort(groups.begin(), groups.end());
  ASSERT_GE(groups.size(), 10u);
  for (std::size_t i = 1; i < groups.size(); i += 2) fs::remove(groups[i]);
  std::vector<std::string> lines;
  Console listening;
  listening.line = [&](const std::string& line) { lines.push_back(line); };
  const SweepResult resumed = run_sweep(settings, out, {}, listening);
  EXPECT_THAT(lines, testing::Contains(HasSubstr("going on: ")));
  EXPECT_EQ(all_weights(resumed), all_weights(whole));
}

TEST_F(Sweep, NeverMixesWithAnotherRun) {
  SweepSettings settings = read(kSmall);
  const fs::path out = folder_ / "run";
  write_sweep(run_sweep(settings, out, {}, console_), out, {});
  settings.seed = 2;
  EXPECT_THROW(run_sweep(settings, out, {}, console_), Error);  // run.json of another sweep
  const fs::path stopped = folder_ / "stopped";
  run_sweep(settings, stopped, {}, console_);
  settings.seed = 3;
  EXPECT_THROW(run_sweep(settings, stopped, {}, console_), Error);  // a stopped sweep of other settings
  const fs::path foreign = folder_ / "foreign";
  fs::create_directories(foreign);
  std::ofstream(foreign / "thesis.tex") << "\\end";
  EXPECT_THROW(run_sweep(settings, foreign, {}, console_), Error);
}

TEST_F(Sweep, ABrokenGroupFileIsNamed) {
  const SweepSettings settings = read(kSmall);
  const fs::path out = folder_ / "run";
  run_sweep(settings, out, {}, console_);
  const fs::path victim = out / "resume" / "group-0000000.safetensors";
  ASSERT_TRUE(fs::exists(victim));
  fs::resize_file(victim, fs::file_size(victim) / 2);
  try {
    run_sweep(settings, out, {}, console_);
    FAIL() << "a truncated file was read";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("group-0000000.safetensors"));
  }
}

}  // namespace
}  // namespace moescope::toy
