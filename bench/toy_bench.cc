// One side of toy_bench.py: trains cells of a phase diagram as often as it is asked to. Prints one JSON line with the
// last-batch loss of every model, then {"wall_s", "cpu_s"} for each line that it reads.
//   toy_bench CELLS STEPS BATCH THREADS FEATURES DIMENSIONS EXPERTS
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "moescope/toy/train.h"

namespace {

using moescope::toy::Architecture;
using moescope::toy::Instance;
using moescope::toy::TrainedInstance;
using moescope::toy::Training;

struct Work {
  Architecture architecture;
  Training training;
  std::vector<Instance> instances;
  moescope::toy::TrainOptions options;
};

struct Numbers {
  std::int64_t n_cells, n_steps, batch, n_threads, n_features, n_dims, n_experts;
};

// Cell c of the diagram; the same in toy_bench.py.
Work make_work(const Numbers& numbers) {
  Work work;
  work.architecture.name = "moe";
  work.architecture.n_features = numbers.n_features;
  work.architecture.n_dims = numbers.n_dims;
  work.architecture.n_experts = numbers.n_experts;
  work.training.n_steps = numbers.n_steps;
  work.training.batch = numbers.batch;
  work.training.balance_coef = 0.01;
  work.options.machine.n_threads = static_cast<int>(numbers.n_threads);
  work.options.loss_every = numbers.n_steps;
  for (std::int64_t c = 0; c < numbers.n_cells; ++c) {
    const double density = 0.05 + 0.9 * static_cast<double>(c % 20) / 19;
    std::vector<float> importance(static_cast<std::size_t>(numbers.n_features), 1.0F);
    importance.back() = static_cast<float>(0.1 + 2.8 * static_cast<double>(c / 20 % 20) / 19);
    work.instances.push_back({density, importance, static_cast<std::uint64_t>(c)});
  }
  return work;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void run(char** arguments) {
  const Work work =
      make_work({std::stoll(arguments[1]), std::stoll(arguments[2]), std::stoll(arguments[3]), std::stoll(arguments[4]),
                 std::stoll(arguments[5]), std::stoll(arguments[6]), std::stoll(arguments[7])});
  const std::vector<TrainedInstance> trained = train(work.architecture, work.training, work.instances, work.options);
  std::vector<float> last;
  for (const TrainedInstance& each : trained) last.push_back(each.last_batch_loss);
  fmt::print("{{\"last_batch\":[{}]}}\n", fmt::join(last, ","));
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const double cpu = cpu_seconds(), wall = wall_seconds();
    train(work.architecture, work.training, work.instances, work.options);
    fmt::print("{{\"wall_s\":{},\"cpu_s\":{}}}\n", wall_seconds() - wall, cpu_seconds() - cpu);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    fmt::print(stderr,
               "usage: toy_bench CELLS STEPS BATCH THREADS FEATURES DIMENSIONS EXPERTS (run by toy_bench.py)\n");
    return 2;
  }
  try {
    run(argv);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "toy_bench: {}\n", error.what());
    return 1;
  }
}
