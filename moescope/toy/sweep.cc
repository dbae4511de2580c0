#include "moescope/toy/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/parallel.h"
#include "moescope/base/random.h"
#include "moescope/toy/draws.h"
#include "moescope/toy/sweep_state.h"

namespace moescope::toy {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxInstances = 1'000'000;
constexpr std::int64_t kMaxNumbers = std::int64_t{1} << 30;  // parameters of all instances together
constexpr std::size_t kEvaluateTogether = 256;               // instances between two looks at signals

std::int64_t n_importances(const SweepSettings& s) {
  return s.importance == ImportanceKind::kLast ? static_cast<std::int64_t>(s.importance_last.size()) : 1;
}

// Of a name's bytes: FNV-1a.
std::uint64_t name_hash(const std::string& name) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

// Depends on what the instance is, not on its place in the sweep. 63 bits, so that tables hold it as a whole number.
std::uint64_t instance_seed(const SweepSettings& s, const SweepInstance& i, double last_importance) {
  const std::uint64_t cell =
      hash64(static_cast<std::uint64_t>(s.seed), static_cast<std::uint64_t>(i.replicate),
             std::bit_cast<std::uint64_t>(i.instance.density), std::bit_cast<std::uint64_t>(last_importance));
  const Architecture& a = s.architectures[static_cast<std::size_t>(i.architecture_idx)].architecture;
  return hash64(cell, name_hash(a.name)) >> 1;
}

std::vector<float> geometric(double ratio, std::int64_t n, bool shuffled, std::uint64_t seed) {
  std::vector<std::int64_t> power(static_cast<std::size_t>(n));
  std::iota(power.begin(), power.end(), 0);
  if (shuffled) {
    Random random(seed);
    for (std::size_t i = power.size(); i > 1; --i) std::swap(power[i - 1], power[random.below(i)]);
  }
  std::vector<float> importance;
  for (const std::int64_t p : power) importance.push_back(static_cast<float>(std::pow(ratio, static_cast<double>(p))));
  return importance;
}

std::vector<float> importance_of(const SweepSettings& s, std::int64_t n, std::int64_t importance_idx) {
  switch (s.importance) {
    case ImportanceKind::kOnes: break;
    case ImportanceKind::kGeometric: return geometric(s.importance_ratio, n, false, 0);
    case ImportanceKind::kShuffledGeometric:
      return geometric(s.importance_ratio, n, true, static_cast<std::uint64_t>(s.seed));
    case ImportanceKind::kValues: return {s.importance_values.begin(), s.importance_values.end()};
    case ImportanceKind::kLast: {
      std::vector<float> importance(static_cast<std::size_t>(n), 1.0F);
      importance.back() = static_cast<float>(s.importance_last[static_cast<std::size_t>(importance_idx)]);
      return importance;
    }
  }
  return std::vector<float>(static_cast<std::size_t>(n), 1.0F);
}

void check_importance(const SweepSettings& s) {
  if (s.importance == ImportanceKind::kLast && s.importance_last.empty()) {
    throw usage_error("{} has no values", option_name("importance-last"));
  }
  if (s.importance != ImportanceKind::kValues && !s.importance_values.empty()) {
    throw usage_error("{} are given, but {} is '{}'", option_name("importance-values"), option_name("importance"),
                      word_of(s.importance));
  }
}

// Keeps and saves the results of a group; called from several threads.
class Keeper {
 public:
  Keeper(std::vector<SweepInstance>& instances, const SweepState& state, Progress& progress, std::int64_t n_done)
      : instances_(instances), state_(state), progress_(progress), n_done_(n_done) {}

  void keep(std::span<const std::size_t> members, std::span<const TrainedInstance> group) {
    const std::lock_guard lock(mutex_);
    for (std::size_t g = 0; g < group.size(); ++g) instances_[members[g]].trained = group[g];
    state_.save(members, group, state_.seconds() + progress_.seconds());
    n_done_ += static_cast<std::int64_t>(group.size());
    progress_.update(n_done_);
  }

 private:
  std::vector<SweepInstance>& instances_;
  const SweepState& state_;
  Progress& progress_;
  std::int64_t n_done_;
  std::mutex mutex_;
};

// Instances of one architecture that are trained together.
struct Task {
  std::size_t architecture_idx = 0;
  std::vector<std::size_t> members;
  double work = 0;  // multiplications, roughly
};

// What is not done yet; the longest first, so that threads end together.
std::vector<Task> tasks_of(const SweepSettings& settings, const TrainOptions& options, const std::vector<bool>& done,
                           const std::vector<SweepInstance>& instances) {
  std::vector<Task> tasks;
  for (std::size_t a = 0; a < settings.architectures.size(); ++a) {
    const auto& [architecture, training] = settings.architectures[a];
    const std::size_t size = group_size(architecture, training, options);
    const double work = static_cast<double>(training.n_steps) * static_cast<double>(training.batch) *
                        static_cast<double>(n_parameters(architecture));
    bool is_open = false;
    for (std::size_t i = 0; i < instances.size(); ++i) {
      if (done[i] || static_cast<std::size_t>(instances[i].architecture_idx) != a) continue;
      if (!is_open || tasks.back().members.size() == size) tasks.push_back({a, {}, work});
      is_open = true;
      tasks.back().members.push_back(i);
    }
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.work > b.work; });
  return tasks;
}

void train_rest(const SweepSettings& settings, const TrainOptions& options, const std::vector<bool>& done,
                const std::vector<SweepInstance>& instances, Keeper& keeper) {
  const std::vector<Task> tasks = tasks_of(settings, options, done, instances);
  const bool lanes = options.chosen() == Implementation::kLanes;
  TrainOptions one_thread = options;
  one_thread.machine.n_threads = 1;
  parallel_for(tasks.size(), lanes ? options.machine.n_threads : 1, [&](std::size_t i) {
    const Task& task = tasks[i];
    const SweepArchitecture& each = settings.architectures[task.architecture_idx];
    std::vector<Instance> wanted;
    for (const std::size_t member : task.members) wanted.push_back(instances[member].instance);
    keeper.keep(task.members, train(each.architecture, each.training, wanted, one_thread));
  });
}

void evaluate_all(const SweepSettings& settings, const TrainOptions& options, const Console& console,
                  std::vector<SweepInstance>& instances) {
  Progress progress(console, "measure", "models", static_cast<std::int64_t>(instances.size()));
  for (std::size_t first = 0; first < instances.size(); first += kEvaluateTogether) {
    parallel_for(std::min(kEvaluateTogether, instances.size() - first), options.machine.n_threads, [&](std::size_t i) {
      SweepInstance& each = instances[first + i];
      if (each.trained.diverged_step) return;
      const SweepArchitecture& a = settings.architectures[static_cast<std::size_t>(each.architecture_idx)];
      each.evaluation = evaluate(a.architecture, a.training, each.instance, each.trained.trained, settings.evaluation);
    });
    throw_if_interrupted("trained models are saved; the same command goes on");
    progress.update(static_cast<std::int64_t>(std::min(first + kEvaluateTogether, instances.size())));
  }
  progress.finish();
}

// Marks the best seed of every cell by both rules; diverged instances take no part.
void choose_best(std::vector<SweepInstance>& instances) {
  for (std::size_t begin = 0; begin < instances.size();) {
    std::size_t end = begin;
    SweepInstance *held_out = nullptr, *last_batch = nullptr;
    for (; end < instances.size() && instances[end].cell == instances[begin].cell; ++end) {
      SweepInstance& each = instances[end];
      if (each.trained.diverged_step) continue;
      if (held_out == nullptr || each.evaluation.loss < held_out->evaluation.loss) held_out = &each;
      if (last_batch == nullptr || each.trained.last_batch_loss < last_batch->trained.last_batch_loss) {
        last_batch = &each;
      }
    }
    if (held_out != nullptr) held_out->best_held_out = last_batch->best_last_batch = true;
    begin = end;
  }
}

std::vector<std::string> warnings_of(const SweepResult& result) {
  std::vector<std::string> warnings;
  const SweepSettings& settings = result.settings;
  for (std::size_t a = 0; a < settings.architectures.size(); ++a) {
    const Architecture& architecture = settings.architectures[a].architecture;
    std::int64_t n = 0, n_diverged = 0, n_experts = 0, n_never = 0;
    for (const SweepInstance& each : result.instances) {
      if (static_cast<std::size_t>(each.architecture_idx) != a) continue;
      n += 1;
      n_diverged += each.trained.diverged_step ? 1 : 0;
      n_experts += static_cast<std::int64_t>(each.evaluation.use.size());
      n_never += std::count(each.evaluation.use.begin(), each.evaluation.use.end(), 0.0);
    }
    const bool asked = architecture.gate == GateKind::kFrozen || architecture.gate == GateKind::kHash;
    if (architecture.n_experts > 1 && !asked &&
        !router_receives_gradient(architecture, settings.architectures[a].training)) {
      warnings.push_back(
          fmt::format("{}: the router receives no gradient (one active expert with weight 1, no balance "
                      "loss): it keeps its initial directions",
                      architecture.name));
    }
    if (n_diverged > 0) {
      warnings.push_back(fmt::format("{}: {} of {} models diverged", architecture.name, n_diverged, n));
    }
    if (n_never > 0) {
      warnings.push_back(
          fmt::format("{}: {} of {} experts were reached by no held-out input", architecture.name, n_never, n_experts));
    }
  }
  return warnings;
}

}  // namespace

void check(const SweepSettings& s) {
  check_options(s);
  if (s.densities.empty()) throw usage_error("{} has no values", option_name("densities"));
  if (s.architectures.empty()) throw usage_error("no architecture");
  check_importance(s);
  std::set<std::string> names;
  const auto n_cells = static_cast<std::int64_t>(s.densities.size()) * n_importances(s);
  if (s.n_seeds > kMaxInstances / n_cells / static_cast<std::int64_t>(s.architectures.size())) {
    throw usage_error("more than {} models: {} architectures x {} densities x {} importances x {} seeds", kMaxInstances,
                      s.architectures.size(), s.densities.size(), n_importances(s), s.n_seeds);
  }
  std::int64_t n_numbers = 0;
  for (const SweepArchitecture& each : s.architectures) {
    try {
      check(each.architecture);
      check(each.training);
      check(each.architecture, each.training);
      for (const double density : s.densities) {
        check(each.architecture, Instance{density, importance_of(s, each.architecture.n_features, 0), 0});
      }
      for (std::int64_t i = 0; i < n_importances(s); ++i) {
        check(each.architecture, Instance{1, importance_of(s, each.architecture.n_features, i), 0});
      }
    } catch (const Error& error) {
      throw error.at("architecture '" + each.architecture.name + "'");
    }
    if (!names.insert(each.architecture.name).second) {
      throw usage_error("two architectures have the name '{}'", each.architecture.name);
    }
    n_numbers += n_cells * s.n_seeds * n_parameters(each.architecture);
    if (n_numbers > kMaxNumbers) throw usage_error("more than {} parameters in all models together", kMaxNumbers);
  }
}

std::vector<SweepInstance> sweep_instances(const SweepSettings& s) {
  check(s);
  std::vector<SweepInstance> instances;
  const auto n_densities = static_cast<std::int64_t>(s.densities.size());
  for (std::size_t a = 0; a < s.architectures.size(); ++a) {
    for (std::int64_t d = 0; d < n_densities; ++d) {
      for (std::int64_t i = 0; i < n_importances(s); ++i) {
        for (std::int64_t replicate = 0; replicate < s.n_seeds; ++replicate) {
          SweepInstance each;
          each.architecture_idx = static_cast<std::int64_t>(a);
          each.density_idx = d;
          each.importance_idx = i;
          each.replicate = replicate;
          each.cell = (each.architecture_idx * n_densities + d) * n_importances(s) + i;
          each.instance.density = s.densities[static_cast<std::size_t>(d)];
          each.instance.importance = importance_of(s, s.architectures[a].architecture.n_features, i);
          const double last =
              s.importance == ImportanceKind::kLast ? s.importance_last[static_cast<std::size_t>(i)] : 0;
          each.instance.seed = instance_seed(s, each, last);
          instances.push_back(std::move(each));
        }
      }
    }
  }
  return instances;
}

SweepResult run_sweep(const SweepSettings& settings, const fs::path& out, const TrainOptions& options,
                      const Console& console) {
  check(options);
  SweepResult result{settings, sweep_instances(settings), 0, {}};
  const auto directory = run::RunDirectory::open(out, identity_json(settings));
  directory.begin();
  directory.claim();
  TrainOptions with_curve = options;
  with_curve.loss_every = settings.loss_every;
  const auto start = std::chrono::steady_clock::now();
  SweepState state(out, settings);
  const std::vector<bool> done = state.load(result.instances);
  const auto n_done = static_cast<std::int64_t>(std::count(done.begin(), done.end(), true));
  if (n_done > 0) console.line(fmt::format("going on: {} of {} models are trained", n_done, done.size()));
  Progress progress(console, "train", "models", static_cast<std::int64_t>(result.instances.size()));
  progress.update(n_done);
  Keeper keeper(result.instances, state, progress, n_done);
  try {
    train_rest(settings, with_curve, done, result.instances, keeper);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInterrupted) throw error.hint("the same command goes on");
    throw;
  }
  progress.finish();
  evaluate_all(settings, options, console, result.instances);
  choose_best(result.instances);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  result.seconds = state.seconds() + elapsed.count();
  result.warnings = warnings_of(result);
  return result;
}

nlohmann::json identity_json(const SweepSettings& settings) { return run::make_identity("toy", to_json(settings), {}); }

}  // namespace moescope::toy
