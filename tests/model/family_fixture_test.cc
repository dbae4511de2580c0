// Every family against transformers: logits, expert ids, applied weights and all taps of tiny random checkpoints made
// by tests/reference/make_family_fixtures.py. `ctest -R family` runs them.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/model/language_model.h"
#include "tests/model/collector.h"
#include "tests/model/fixture.h"

namespace moescope::model {
namespace {

namespace fs = std::filesystem;
using testing::Collector;
using testing::fixture_folder;
using testing::ModelRun;
using testing::relative_error;
using testing::tensor_of;

constexpr double kLogitsBound = 1e-4;   // relative, float32
constexpr double kWeightsBound = 1e-5;  // absolute

std::vector<std::string> variants() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(fixture_folder("family"))) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Checkpoint open_variant(const std::string& variant) {
  return Checkpoint::open(io::find_checkpoint(fixture_folder("family/" + variant)));
}

io::SafetensorsFile reference_of(const std::string& variant) {
  return io::SafetensorsFile::open(fixture_folder("family/" + variant + "/reference.safetensors"));
}

class FamilyFixture : public ::testing::TestWithParam<std::string> {
 protected:
  FamilyFixture() { at::set_num_threads(1); }  // the models are tiny: a second thread only waits
};

void expect_near_tap(const at::Tensor& got, const io::SafetensorsFile& reference, const std::string& name) {
  const at::Tensor want = tensor_of(reference, name);
  ASSERT_TRUE(got.defined()) << name;
  ASSERT_EQ(got.numel(), want.numel()) << name;
  EXPECT_LT(relative_error(got.reshape(want.sizes()), want), kLogitsBound) << name;
}

void expect_layer_equals(const Collector& layer, const io::SafetensorsFile& reference, const std::string& prefix,
                         bool dense) {
  const at::Tensor ids = tensor_of(reference, prefix + "expert_ids");
  ASSERT_TRUE(layer.routing.expert_ids.to(at::kInt).equal(ids)) << prefix;
  const at::Tensor weights = tensor_of(reference, prefix + "expert_weights");
  EXPECT_LT((layer.routing.weights - weights).abs().max().item<double>(), kWeightsBound) << prefix;
  EXPECT_TRUE(layer.weights.view(ids.sizes()).equal(layer.routing.weights)) << prefix;
  expect_near_tap(layer.residual, reference, prefix + "residual");
  expect_near_tap(layer.neurons, reference, prefix + "neurons");
  expect_near_tap(layer.outputs, reference, prefix + "expert_outputs");
  if (!dense) expect_near_tap(layer.routing.logits, reference, prefix + "router_logits");
  EXPECT_EQ(layer.shared.neurons.defined(), reference.contains(prefix + "shared_neurons")) << prefix;
  if (!reference.contains(prefix + "shared_neurons")) return;
  expect_near_tap(layer.shared.neurons, reference, prefix + "shared_neurons");
  expect_near_tap(layer.shared.outputs, reference, prefix + "shared_output");
  expect_near_tap(layer.shared.weights, reference, prefix + "shared_gate");
}

TEST_P(FamilyFixture, LogitsExpertsAndTapsEqualTransformers) {
  const Checkpoint checkpoint = open_variant(GetParam());
  const io::SafetensorsFile reference = reference_of(GetParam());
  const LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  const ModelRun result = testing::run(model, tensor_of(reference, "input_ids"));
  EXPECT_LT(relative_error(result.logits, tensor_of(reference, "logits")), kLogitsBound);
  for (std::size_t l = 0; l < result.layers.size(); ++l) {
    const auto layer_idx = static_cast<std::int64_t>(l);
    expect_layer_equals(result.layers[l], reference, "layers." + std::to_string(l) + ".",
                        checkpoint.config().is_dense(layer_idx));
  }
}

TEST_P(FamilyFixture, LongSequencesEqualTransformers) {
  const Checkpoint checkpoint = open_variant(GetParam());
  const io::SafetensorsFile reference = reference_of(GetParam());
  const LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  const ModelRun result = testing::run(model, tensor_of(reference, "long.input_ids"));
  EXPECT_LT(relative_error(result.logits, tensor_of(reference, "long.logits")), kLogitsBound);
}

TEST_P(FamilyFixture, CachedStepsGiveTheLogitsOfOnePass) {
  const c10::NoGradGuard no_grad;
  const Checkpoint checkpoint = open_variant(GetParam());
  const LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  const at::Tensor ids = tensor_of(reference_of(GetParam()), "long.input_ids").to(at::kLong).narrow(1, 0, 24);
  const at::Tensor whole = model.logits(model.residual(ids));
  KvCache cache;
  std::vector<at::Tensor> parts;
  for (const auto& [begin, count] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 9}, {9, 1}, {10, 14}}) {
    parts.push_back(model.logits(model.residual(ids.narrow(1, begin, count), {}, &cache)));
  }
  EXPECT_LT(relative_error(at::cat(parts, 1), whole), 1e-5);
}

// Rounding as measured: transformers' own bfloat16 run of the same checkpoint (make_bfloat16_bounds.py). Medians over
// tokens, because a token whose experts nearly tie may go elsewhere.
TEST_P(FamilyFixture, Bfloat16IsAsNearToFloat32AsTransformers) {
  const nlohmann::json measured = io::read_json(fixture_folder("model/family_bfloat16.json"))["bounds"];
  const bool has_own = measured.contains(GetParam());  // 4- and 8-bit checkpoints have not
  const double bound = has_own ? 1.5 * measured[GetParam()]["median"].get<double>() : 0.01;
  const Checkpoint checkpoint = open_variant(GetParam());
  const io::SafetensorsFile reference = reference_of(GetParam());
  const LanguageModel model(checkpoint, at::kBFloat16, at::kCPU);
  const at::Tensor logits = testing::run(model, tensor_of(reference, "input_ids")).logits.to(at::kFloat);
  const at::Tensor exact = tensor_of(reference, "logits").to(at::kFloat);
  const double error = ((logits - exact).abs().mean(-1).median() / exact.abs().max()).item<double>();
  EXPECT_LT(error, bound);
  EXPECT_GT(error, 1e-5) << "this did not run in bfloat16";
}

TEST_P(FamilyFixture, CountsParametersAsTheCheckpointHasThem) {
  const Checkpoint checkpoint = open_variant(GetParam());
  const ModelConfig& config = checkpoint.config();
  const LanguageModel model(checkpoint, at::kFloat, at::kCPU);
  std::int64_t held = 0;
  for (const LayerWeights& layer : model.layers()) {
    for (const at::Tensor& tensor : tensors_of(layer)) held += tensor.numel();
  }
  const EmbeddingWeights& embeddings = model.embeddings();
  for (const at::Tensor& tensor :
       {embeddings.token_embedding, embeddings.position_embedding, embeddings.final_norm.weight,
        embeddings.final_norm.bias, embeddings.unembedding_bias}) {
    if (tensor.defined()) held += tensor.numel();
  }
  if (!config.tie_embeddings) held += embeddings.unembedding.numel();
  EXPECT_EQ(config.n_parameters(), held);
  EXPECT_LE(config.n_active_parameters(), held);
  EXPECT_EQ(config.n_active_parameters() == held, config.all_dense());
}

INSTANTIATE_TEST_SUITE_P(family, FamilyFixture, ::testing::ValuesIn(variants()),
                         [](const auto& param_info) { return param_info.param; });

// A config.json that names fewer layers than the file holds is a mistake, not a smaller model, in every family.
TEST_P(FamilyFixture, MoreLayersThanConfigNamesAreRefused) {
  const fs::path from = fixture_folder("family/" + GetParam());
  const fs::path folder = fs::path(::testing::TempDir()) / ("moescope_fewer_" + GetParam());
  fs::remove_all(folder);
  fs::copy(from, folder, fs::copy_options::recursive);
  fs::permissions(folder / "config.json", fs::perms::owner_write, fs::perm_options::add);
  nlohmann::json config = io::read_json(from / "config.json");
  const char* key = config.contains("n_layer") ? "n_layer" : "num_hidden_layers";
  config[key] = config[key].get<int>() - 1;
  for (const char* list : {"layer_types", "mlp_layer_types"}) {
    if (config.contains(list) && config[list].is_array()) config[list].erase(config[list].size() - 1);
  }
  config["num_nextn_predict_layers"] = 0;
  std::ofstream(folder / "config.json") << config;
  EXPECT_THROW(Checkpoint::open(io::find_checkpoint(folder.string())), Error);
  fs::remove_all(folder);
}

TEST(family, EveryFamilyHasAFixture) {
  std::set<std::string> proved = {"olmoe"};  // olmoe_test.cc
  for (const std::string& variant : variants()) proved.insert(open_variant(variant).config().family);
  for (const std::string& family : family_names()) EXPECT_TRUE(proved.contains(family)) << family;
}

}  // namespace
}  // namespace moescope::model
