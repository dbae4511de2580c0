// One side of probe_bench.py: fits the probes of one expert for several concepts, on one thread, as often as it is
// asked to. FILE holds, behind each other, neurons [n, width] f32, parts [n] u8 (0 train, 2 test) and labels [concepts,
// n] u8. Prints one JSON line with the F1 of every concept and k, then {"cpu_s", "wall_s"} for each line that it reads.
//   probe_bench FILE N WIDTH CONCEPTS
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "moescope/stats/sparse_probe.h"

namespace {

using moescope::stats::ProbeItem;
using moescope::stats::SamplePart;

struct Input {
  std::int32_t width = 0;
  std::vector<float> neurons;
  std::vector<std::vector<ProbeItem>> items;  // by concept
};

Input read(const std::string& path, std::size_t n, std::size_t width, std::size_t n_concepts) {
  Input input;
  input.width = static_cast<std::int32_t>(width);
  input.neurons.resize(n * width);
  std::vector<std::uint8_t> parts(n), labels(n);
  std::ifstream file(path, std::ios::binary);
  const auto take = [&](void* to, std::size_t n_bytes) {
    file.read(static_cast<char*>(to), static_cast<std::streamsize>(n_bytes));
    if (!file) throw std::runtime_error(path + ": too short");
  };
  take(input.neurons.data(), input.neurons.size() * sizeof(float));
  take(parts.data(), n);
  for (std::size_t c = 0; c < n_concepts; ++c) {
    take(labels.data(), n);
    std::vector<ProbeItem>& items = input.items.emplace_back();
    for (std::size_t i = 0; i < n; ++i) {
      items.push_back({static_cast<std::int32_t>(i), labels[i], static_cast<SamplePart>(parts[i])});
    }
  }
  return input;
}

std::vector<double> fit_all(const Input& input) {
  std::vector<double> f1;
  for (const std::vector<ProbeItem>& items : input.items) {
    for (const auto& one : moescope::stats::fit_sparse_probe(input.neurons, input.width, items, {}).widths) {
      f1.push_back(one.test.f1);
    }
  }
  return f1;
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
  const Input input = read(arguments[1], std::stoul(arguments[2]), std::stoul(arguments[3]), std::stoul(arguments[4]));
  fmt::print("{{\"f1\":[{}]}}\n", fmt::join(fit_all(input), ","));
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const double cpu = cpu_seconds(), wall = wall_seconds();
    const std::vector<double> f1 = fit_all(input);
    fmt::print("{{\"cpu_s\":{},\"wall_s\":{},\"n\":{}}}\n", cpu_seconds() - cpu, wall_seconds() - wall, f1.size());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    fmt::print(stderr, "usage: probe_bench FILE N WIDTH CONCEPTS (run by probe_bench.py)\n");
    return 2;
  }
  try {
    run(argv);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "probe_bench: {}\n", error.what());
    return 1;
  }
}
