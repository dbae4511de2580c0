#include "moescope/toy/sweep_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/io/safetensors.h"
#include "moescope/toy/draws.h"

namespace moescope::toy {
namespace {

namespace fs = std::filesystem;

template <typename T>
void append(std::vector<T>& all, const std::vector<T>& part) {
  all.insert(all.end(), part.begin(), part.end());
}

template <typename T>
std::vector<T> slice(const std::vector<T>& all, std::size_t i, std::size_t size) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
  return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

template <typename T>
std::vector<T> read(const io::SafetensorsFile& file, const char* name, std::size_t expected) {
  std::vector<T> values = file.at(name).to_vector<T>();
  if (values.size() != expected) {
    throw input_error("{}: '{}' has {} numbers, expected {}", file.path().string(), name, values.size(), expected);
  }
  return values;
}

// The arrays of a group's file; the shapes are flat, for nothing but this file reads them.
struct Group {
  std::vector<std::int64_t> member, diverged_step, n_losses, loss_step;
  std::vector<float> w, b, gate, last_batch_loss, loss;
  std::vector<double> router_gradient_norm, router_drift;
};

}  // namespace

SweepState::SweepState(const fs::path& out, const SweepSettings& settings)
    : folder_(out / "resume"), settings_(settings) {}

std::vector<bool> SweepState::load(std::vector<SweepInstance>& instances) {
  std::vector<bool> done(instances.size(), false);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == ".safetensors") load_group(entry.path(), instances, done);
  }
  return done;
}

void SweepState::load_group(const fs::path& path, std::vector<SweepInstance>& instances, std::vector<bool>& done) {
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  const auto member = file.at("member").to_vector<std::int64_t>();
  const std::size_t n = member.size();
  for (const std::int64_t i : member) {
    if (i < 0 || static_cast<std::size_t>(i) >= instances.size()) {
      throw input_error("{}: there is no instance {}", path.string(), i);
    }
  }
  if (n == 0) return;
  const SweepInstance& first = instances[static_cast<std::size_t>(member.front())];
  const Architecture& a = settings_.architectures[static_cast<std::size_t>(first.architecture_idx)].architecture;
  const auto n_b = static_cast<std::size_t>(a.n_experts * a.n_features), n_w = n_b * static_cast<std::size_t>(a.n_dims);
  const auto w = read<float>(file, "w", n * n_w), b = read<float>(file, "b", n * n_b);
  const auto gate = read<float>(file, "gate", n * n_b), last = read<float>(file, "last_batch_loss", n);
  const auto diverged = read<std::int64_t>(file, "diverged_step", n),
             n_losses = read<std::int64_t>(file, "n_losses", n);
  const auto norm = read<double>(file, "router_gradient_norm", n), drift = read<double>(file, "router_drift", n);
  const auto losses = file.at("loss").to_vector<float>();
  const auto steps = read<std::int64_t>(file, "loss_step", losses.size());
  std::size_t next_loss = 0;
  for (std::size_t g = 0; g < n; ++g) {
    const auto i = static_cast<std::size_t>(member[g]);
    SweepInstance& instance = instances[i];
    if (instance.architecture_idx != first.architecture_idx || n_losses[g] < 0 ||
        static_cast<std::size_t>(n_losses[g]) > losses.size() - next_loss) {
      throw input_error("{}: instance {} does not fit the sweep", path.string(), i);
    }
    TrainedInstance& trained = instance.trained;
    trained.initial = initial_weights(a, instance.instance.seed);
    trained.trained = {slice(w, g, n_w), slice(b, g, n_b), slice(gate, g, n_b)};
    if (diverged[g] >= 0) trained.diverged_step = diverged[g];
    trained.last_batch_loss = last[g];
    trained.router_gradient_norm = norm[g];
    trained.router_drift = drift[g];
    for (std::int64_t point = 0; point < n_losses[g]; ++point, ++next_loss) {
      trained.loss_curve.push_back({steps[next_loss], losses[next_loss]});
    }
    done[i] = true;
  }
  const auto seconds = file.metadata().find("seconds");
  if (seconds != file.metadata().end()) seconds_ = std::max(seconds_, std::strtod(seconds->second.c_str(), nullptr));
}

void SweepState::save(std::span<const std::size_t> members, std::span<const TrainedInstance> group,
                      double seconds) const {
  MOESCOPE_ASSERT(members.size() == group.size() && !members.empty());
  Group all;
  for (std::size_t g = 0; g < group.size(); ++g) {
    const TrainedInstance& trained = group[g];
    all.member.push_back(static_cast<std::int64_t>(members[g]));
    all.diverged_step.push_back(trained.diverged_step.value_or(-1));
    all.last_batch_loss.push_back(trained.last_batch_loss);
    all.router_gradient_norm.push_back(trained.router_gradient_norm);
    all.router_drift.push_back(trained.router_drift);
    append(all.w, trained.trained.w);
    append(all.b, trained.trained.b);
    append(all.gate, trained.trained.gate);
    all.n_losses.push_back(static_cast<std::int64_t>(trained.loss_curve.size()));
    for (const LossPoint& point : trained.loss_curve) {
      all.loss_step.push_back(point.step);
      all.loss.push_back(point.loss);
    }
  }
  std::vector<io::TensorToWrite> tensors;
  const auto add = [&](const char* name, const auto& values) {
    tensors.push_back(io::tensor_to_write(name, {static_cast<std::int64_t>(values.size())}, values));
  };
  add("member", all.member);
  add("diverged_step", all.diverged_step);
  add("last_batch_loss", all.last_batch_loss);
  add("router_gradient_norm", all.router_gradient_norm);
  add("router_drift", all.router_drift);
  add("w", all.w);
  add("b", all.b);
  add("gate", all.gate);
  add("n_losses", all.n_losses);
  add("loss_step", all.loss_step);
  add("loss", all.loss);
  io::write_safetensors(folder_ / fmt::format("group-{:07}.safetensors", members.front()), tensors,
                        {{"seconds", fmt::format("{:.3f}", seconds)}});
}

}  // namespace moescope::toy
