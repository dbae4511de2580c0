// Many instances: architectures x densities x importances x seeds, each trained and measured, and the best seed of
// every cell by two rules. docs/toy.md describes the settings file and the files written.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "moescope/base/progress.h"
#include "moescope/run/run_directory.h"
#include "moescope/toy/evaluate.h"
#include "moescope/toy/train.h"

namespace moescope::toy {

enum class ImportanceKind {
  kOnes,               // 1 for every feature
  kLast,               // 1, but the last feature has importance_last (one cell for each value of the list)
  kGeometric,          // ratio^i
  kShuffledGeometric,  // ratio^perm(i): one permutation by the sweep's seed, shared by all instances of one n
  kValues,             // importance_values
};
constexpr auto words_for(ImportanceKind) {
  return std::to_array<Word<ImportanceKind>>({{ImportanceKind::kOnes, "ones"},
                                              {ImportanceKind::kLast, "last"},
                                              {ImportanceKind::kGeometric, "geometric"},
                                              {ImportanceKind::kShuffledGeometric, "shuffled_geometric"},
                                              {ImportanceKind::kValues, "values"}});
}

struct SweepArchitecture {
  Architecture architecture;
  Training training;

  void describe(OptionList& list);
};

struct SweepSettings {
  std::string experiment;  // which page's figures are made: "" or a name of kExperiments
  std::vector<SweepArchitecture> architectures;
  std::vector<double> densities = {1};
  ImportanceKind importance = ImportanceKind::kOnes;
  double importance_ratio = 0.7;
  std::vector<double> importance_last = {1};
  std::vector<double> importance_values;
  std::int64_t n_seeds = 1;
  std::int64_t seed = 1;  // instances' seeds are a hash of it, architecture, density, importance and replicate
  EvaluationOptions evaluation;
  std::int64_t loss_every = 100;
  bool write_features = false;  // features.csv: one row an instance, expert and feature

  void describe(OptionList& list);  // all but the architectures
};

inline constexpr std::array kExperiments = {"features_per_dimension", "phase", "specialization", "sparsity_sweep",
                                            "geometry"};

// Throws kUsage naming the option: out of range, repeated name of an architecture, too many instances.
void check(const SweepSettings& settings);

// Reads a TOML file: options of the sweep on top, a table [[architecture]] for each, whose keys on top are defaults for
// all. Throws kInput naming file, line and key: unknown key, value that does not fit, and as check().
SweepSettings read_sweep_settings(const std::filesystem::path& path);
nlohmann::json to_json(const SweepSettings& settings);
// What makes a sweep: all of its settings.
nlohmann::json identity_json(const SweepSettings& settings);

struct SweepInstance {
  std::int64_t architecture_idx = 0;
  std::int64_t density_idx = 0;
  std::int64_t importance_idx = 0;  // 0 but for ImportanceKind::kLast
  std::int64_t replicate = 0;       // [0, n_seeds)
  std::int64_t cell = 0;            // (architecture_idx * n_densities + density_idx) * n_importances + importance_idx
  Instance instance;
  TrainedInstance trained;
  Evaluation evaluation;         // of instances that did not diverge; else empty vectors
  bool best_held_out = false;    // lowest held-out loss of its cell
  bool best_last_batch = false;  // lowest last-batch loss of its cell: the authors' rule
};

// All instances of a sweep, untrained, by architecture, density, importance, replicate. Throws as check().
std::vector<SweepInstance> sweep_instances(const SweepSettings& settings);

struct SweepResult {
  SweepSettings settings;
  std::vector<SweepInstance> instances;  // by architecture, density, importance, replicate
  double seconds = 0;                    // training and measuring, of all runs together
  std::vector<std::string> warnings;     // "NAME: router receives no gradient", ...
};

// Trains and measures everything, writes finished groups below OUT/resume as it goes and goes on from there if they are
// of equal settings. Throws kInput, kEnvironment, and kInterrupted after the state was saved.
SweepResult run_sweep(const SweepSettings& settings, const std::filesystem::path& out, const TrainOptions& options,
                      const Console& console);

struct WriteOptions {
  run::Invocation invocation;  // for run.json
  bool last_step = true;       // false: a page follows at once, and whoever makes it writes DONE
};

// Every table and tensor of run/toy_files.h that the settings ask for, then run.json; removes OUT/resume and writes
// DONE.
void write_sweep(const SweepResult& result, const std::filesystem::path& out, const TrainOptions& options,
                 const WriteOptions& write = {});

}  // namespace moescope::toy
