#include "moescope/toy/train.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <mutex>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/base/parallel.h"
#include "moescope/machine/device.h"
#include "moescope/toy/batched.h"
#include "moescope/toy/lanes.h"

namespace moescope::toy {
namespace {

double router_drift(const Training& training, const Weights& initial, const Weights& trained, bool decays) {
  const double decay =
      decays ? std::pow(1 - training.lr * training.weight_decay, static_cast<double>(training.n_steps)) : 1.0;
  double sum = 0;
  for (std::size_t q = 0; q < initial.gate.size(); ++q) {
    const double moved = static_cast<double>(trained.gate[q]) - decay * static_cast<double>(initial.gate[q]);
    sum += moved * moved;
  }
  return std::sqrt(sum);
}

void add_drift(const Architecture& architecture, const Training& training, std::vector<TrainedInstance>& group) {
  const bool decays = architecture.gate != GateKind::kFrozen && architecture.gate != GateKind::kHash;
  for (TrainedInstance& result : group) {
    if (!result.diverged_step) result.router_drift = router_drift(training, result.initial, result.trained, decays);
  }
}

}  // namespace

Implementation TrainOptions::chosen() const {
  return implementation.value_or(machine.device == "cpu" ? Implementation::kLanes : Implementation::kBatched);
}

void TrainOptions::describe(OptionList& list) {
  list.add(
      "implementation", implementation,
      "lanes: models side by side in vector registers, the default on the CPU; batched: matrix products, any device");
  machine.describe(list);
}

void check(const TrainOptions& options) {
  check_options(options);
  if (options.loss_every < 1) throw usage_error("loss_every is {}, expected at least 1", options.loss_every);
  if (options.chosen() == Implementation::kLanes && options.machine.device != "cpu") {
    throw usage_error("{} 'lanes' runs on the device cpu only, not on '{}'", option_name("implementation"),
                      options.machine.device)
        .hint("'batched' runs on cpu, cuda and cuda:INDEX");
  }
  machine::parse_device(options.machine.device);
}

std::size_t group_size(const Architecture& architecture, const Training& training, const TrainOptions& options) {
  return static_cast<std::size_t>(
      options.chosen() == Implementation::kLanes ? lane_kernels().width : batched_group_size(architecture, training));
}

void train(const Architecture& architecture, const Training& training, std::span<const Instance> instances,
           const TrainOptions& options, const GroupDone& done) {
  check(architecture);
  check(training);
  check(architecture, training);
  for (const Instance& instance : instances) check(architecture, instance);
  check(options);
  const bool lanes = options.chosen() == Implementation::kLanes;
  const LaneKernels kernels = lane_kernels();
  const std::size_t size = group_size(architecture, training, options);
  const std::size_t n_groups = (instances.size() + size - 1) / size;
  std::mutex done_mutex;
  parallel_for(n_groups, lanes ? options.machine.n_threads : 1, [&](std::size_t g) {
    const std::size_t first = g * size;
    const auto part = instances.subspan(first, std::min(size, instances.size() - first));
    std::vector<TrainedInstance> group =
        lanes ? train_lanes(architecture, training, part, options.loss_every, kernels)
              : train_batched(architecture, training, part, options.loss_every, options.machine.device);
    add_drift(architecture, training, group);
    const std::lock_guard lock(done_mutex);
    done(first, group);
  });
}

std::vector<TrainedInstance> train(const Architecture& architecture, const Training& training,
                                   std::span<const Instance> instances, const TrainOptions& options) {
  std::vector<TrainedInstance> results(instances.size());
  train(architecture, training, instances, options, [&](std::size_t first, std::span<const TrainedInstance> group) {
    std::copy(group.begin(), group.end(), results.begin() + static_cast<std::ptrdiff_t>(first));
  });
  return results;
}

}  // namespace moescope::toy
