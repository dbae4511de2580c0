// Both implementations against toy models trained in eager PyTorch (tests/reference/make_toy_fixtures.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "moescope/toy/batched.h"
#include "moescope/toy/draws.h"
#include "moescope/toy/lanes.h"
#include "moescope/toy/train.h"
#include "tests/base/vector_targets.h"

namespace moescope::toy {
namespace {

using nlohmann::json;

const json& fixture() {
  static const json kFixture = json::parse(std::ifstream(MOESCOPE_SOURCE_DIR "/tests/fixtures/toy/replay.json"));
  return kFixture;
}

struct Case {
  Architecture architecture;
  Training training;
  Instance instance;
  Weights initial, gradient, final_values;
  std::vector<float> losses, inputs;
};

Weights weights_of(const json& part) {
  return {part.at("w").get<std::vector<float>>(), part.at("b").get<std::vector<float>>(),
          part.at("gate").get<std::vector<float>>()};
}

Case read_case(const std::string& name) {
  const json& found = fixture().at("cases").at(name);
  const json &a = found.at("architecture"), &t = found.at("training");
  Case result;
  Architecture& architecture = result.architecture;
  architecture.name = name;
  architecture.n_features = a.at("n_features");
  architecture.n_dims = a.at("n_dims");
  architecture.n_experts = a.at("n_experts");
  architecture.n_active = a.at("n_active");
  architecture.n_top_activations = a.at("n_top_activations");
  architecture.group_size = a.at("group_size");
  architecture.group_correlation = a.at("group_correlation");
  architecture.gate = parse_word<decltype(architecture.gate)>(a.at("gate").get<std::string>());
  architecture.ties = parse_word<decltype(architecture.ties)>(a.at("ties").get<std::string>());
  architecture.bias_init = parse_word<decltype(architecture.bias_init)>(a.at("bias_init").get<std::string>());
  architecture.weight_init = parse_word<decltype(architecture.weight_init)>(a.at("weight_init").get<std::string>());
  architecture.gate_init = parse_word<decltype(architecture.gate_init)>(a.at("gate_init").get<std::string>());
  Training& training = result.training;
  training.n_steps = t.at("steps");
  training.batch = t.at("batch");
  training.lr = t.at("lr");
  training.beta1 = t.at("beta1");
  training.beta2 = t.at("beta2");
  training.eps = t.at("eps");
  training.weight_decay = t.at("weight_decay");
  training.balance_coef = t.at("balance_coef");
  training.loss = parse_word<decltype(training.loss)>(t.at("loss").get<std::string>());
  result.instance = {found.at("density").get<double>(), found.at("importance").get<std::vector<float>>(),
                     std::stoull(found.at("seed").get<std::string>())};
  result.initial = weights_of(found.at("initial"));
  result.gradient = weights_of(found.at("gradient"));
  result.final_values = weights_of(found.at("final"));
  result.losses = found.at("losses").get<std::vector<float>>();
  result.inputs = found.at("inputs").get<std::vector<float>>();
  return result;
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& [name, unused] : fixture().at("cases").items()) names.push_back(name);
  return names;
}

// The largest |a - b|, of all arrays.
double largest_difference(const Weights& a, const Weights& b) {
  double largest = 0;
  const auto look = [&](const std::vector<float>& x, const std::vector<float>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      largest = std::max(largest, static_cast<double>(std::abs(x[i] - y[i])));
    }
  };
  look(a.w, b.w);
  look(a.b, b.b);
  look(a.gate, b.gate);
  return largest;
}

TEST(Philox, GivesThePublishedWords) {
  const auto words = [](PhiloxCounter counter, PhiloxKey key) {
    const PhiloxCounter result = philox(counter, key);
    return std::vector<std::uint32_t>(result.word, result.word + 4);
  };
  EXPECT_THAT(words({}, {}), testing::ElementsAre(0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8));
  const std::uint32_t ones = 0xFFFFFFFF;
  EXPECT_THAT(words({{ones, ones, ones, ones}}, {{ones, ones}}),
              testing::ElementsAre(0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD));
  EXPECT_THAT(words({{0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}}, {{0xA4093822, 0x299F31D0}}),
              testing::ElementsAre(0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1));
}

TEST(Philox, GivesTheWordsOfTheReference) {
  ASSERT_EQ(fixture().at("philox").size(), 50u);
  for (const json& each : fixture().at("philox")) {
    PhiloxCounter counter;
    PhiloxKey key;
    for (int i = 0; i < 4; ++i) counter.word[i] = each.at("counter").at(i);
    for (int i = 0; i < 2; ++i) key.word[i] = each.at("key").at(i);
    const PhiloxCounter words = philox(counter, key);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(words.word[i], each.at("words").at(i).get<std::uint32_t>());
  }
}

class Replay : public testing::TestWithParam<std::string> {};

TEST_P(Replay, InitialValuesAndInputsAreThoseOfTheReference) {
  const Case expected = read_case(GetParam());
  EXPECT_LT(largest_difference(initial_weights(expected.architecture, expected.instance.seed), expected.initial), 1e-6);
  const InputLayout layout = input_layout(expected.architecture);
  const auto n = static_cast<std::size_t>(expected.architecture.n_features);
  std::vector<float> x(n);
  for (std::uint64_t s = 0; s < 4; ++s) {
    draw_input(layout, static_cast<float>(expected.instance.density), expected.instance.seed, Stream::kTraining, 0, s,
               x);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(x[i], expected.inputs[s * n + i], 1e-7);
  }
}

TEST_P(Replay, GradientsAreThoseOfAutograd) {
  const Case expected = read_case(GetParam());
  const std::vector<Instance> instances = {expected.instance};
  double scale = 0;
  for (const auto* part : {&expected.gradient.w, &expected.gradient.b, &expected.gradient.gate}) {
    for (const float value : *part) scale = std::max(scale, static_cast<double>(std::abs(value)));
  }
  const auto batched = batched_gradient(expected.architecture, expected.training, instances, 0);
  EXPECT_LT(largest_difference(batched.front(), expected.gradient), 2e-6 * scale + 1e-9);
  for_each_vector_target([&] {
    const LaneKernels kernels = lane_kernels();
    LaneGroup group(expected.architecture, expected.training, instances, kernels.width);
    kernels.step(group.view(), 0);
    EXPECT_LT(largest_difference(group.values(0, true), expected.gradient), 2e-6 * scale + 1e-9) << kernels.name;
    kernels.step_of_any_shape(group.view(), 0);
    EXPECT_LT(largest_difference(group.values(0, true), expected.gradient), 2e-6 * scale + 1e-9) << kernels.name;
  });
}

void expect_training_of(const Case& expected, const TrainedInstance& trained, const std::string& what) {
  ASSERT_EQ(trained.loss_curve.size(), expected.losses.size()) << what;
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    EXPECT_EQ(trained.loss_curve[i].step, static_cast<std::int64_t>(i));
    EXPECT_NEAR(trained.loss_curve[i].loss, expected.losses[i], 3e-5 * expected.losses[i]) << what << " step " << i;
  }
  EXPECT_EQ(trained.last_batch_loss, trained.loss_curve.back().loss);
  EXPECT_LT(largest_difference(trained.trained, expected.final_values), 2e-4) << what;
}

TEST_P(Replay, TrainingFollowsTheReference) {
  const Case expected = read_case(GetParam());
  const std::vector<Instance> instances = {expected.instance};
  for_each_vector_target([&] {
    const LaneKernels kernels = lane_kernels();
    const auto lanes = train_lanes(expected.architecture, expected.training, instances, 1, kernels);
    expect_training_of(expected, lanes.front(), kernels.name);
  });
  const auto batched = train_batched(expected.architecture, expected.training, instances, 1, "cpu");
  expect_training_of(expected, batched.front(), "batched");
}

INSTANTIATE_TEST_SUITE_P(All, Replay, testing::ValuesIn(case_names()), [](const auto& each) { return each.param; });

}  // namespace
}  // namespace moescope::toy
