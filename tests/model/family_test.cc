#include "moescope/model/family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "moescope/base/error.h"
#include "tests/model/fixture.h"

namespace moescope::model {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

nlohmann::json olmoe_config() {
  return nlohmann::json::parse(R"({"model_type": "olmoe", "hidden_size": 32, "intermediate_size": 16, "vocab_size": 67,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "num_experts": 8,
    "num_experts_per_tok": 3, "max_position_embeddings": 64, "rope_theta": 500.0, "eos_token_id": 5})");
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(FamilyConfig, ReadsBothSpellingsOfRopeTheta) {
  EXPECT_EQ(parse_config(olmoe_config()).attention.rope.theta, 500.0);
  nlohmann::json config = olmoe_config();
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_theta", 250.0}, {"rope_type", "default"}};
  EXPECT_EQ(parse_config(config).attention.rope.theta, 250.0);
}

TEST(FamilyConfig, CountsParametersAsTheCheckpointHasThem) {
  const Checkpoint checkpoint = testing::open_fixture("plain");
  std::int64_t stored = 0;
  const io::SafetensorsFile file = io::SafetensorsFile::open(checkpoint.folder().weights);
  for (const auto& [name, view] : file.tensors()) stored += view.n_elements();
  EXPECT_EQ(checkpoint.config().n_parameters(), stored);
  EXPECT_LT(checkpoint.config().n_active_parameters(), stored);
}

TEST(FamilyConfig, NamesTheKeyThatIsWrong) {
  const std::vector<std::pair<nlohmann::json, const char*>> cases = {
      {{{"hidden_size", nullptr}}, "hidden_size"},
      {{{"hidden_size", "wide"}}, "hidden_size"},
      {{{"hidden_size", -4}}, "hidden_size"},
      {{{"hidden_size", 33}}, "num_attention_heads"},
      {{{"num_key_value_heads", 3}}, "num_key_value_heads"},
      {{{"num_experts_per_tok", 9}}, "num_experts_per_tok"},
      {{{"num_local_experts", 9}}, "num_local_experts"},
      {{{"hidden_act", "mish"}}, "hidden_act"},
      {{{"attention_bias", "yes"}}, "attention_bias"},
      {{{"clip_qkv", -1.0}}, "clip_qkv"},
      {{{"rope_parameters", {{"rope_type", "dynamic"}}}}, "rope_type"},
      {{{"rope_parameters", {{"rope_type", "llama3"}, {"factor", 8.0}}}}, "low_freq_factor"},
      {{{"rope_parameters", {{"rope_theta", 7.0}}}}, "rope_theta"},
      {{{"vocab_size", 1e30}}, "vocab_size"},
      {{{"model_type", "no_such_family"}}, "no_such_family"},
      {{{"model_type", nullptr}}, "model_type"},
  };
  for (const auto& [change, key] : cases) {
    nlohmann::json config = olmoe_config();
    config.update(change);
    EXPECT_THAT(error_of([&] { parse_config(config); }), HasSubstr(key)) << change.dump();
  }
}

TEST(FamilyConfig, KimiIsReadAsDeepseek) {
  const fs::path file = fs::path(testing::fixture_folder("family/deepseek_v3")) / "config.json";
  std::ifstream stream(file);
  nlohmann::json config = nlohmann::json::parse(stream);
  config["model_type"] = "kimi_k2";
  EXPECT_EQ(parse_config(config).family, "deepseek_v3");
  config["scoring_func"] = "softmax";
  EXPECT_THAT(error_of([&] { parse_config(config); }), HasSubstr("scoring_func"));
}

TEST(FamilyConfig, WrittenConfigReadsBackEqual) {
  ModelConfig config = parse_config(olmoe_config());
  config.attention.clip_qkv = 2.5;
  const ModelConfig back = parse_config(find_family("olmoe").write_config(config));
  EXPECT_EQ(back.d_model, config.d_model);
  EXPECT_EQ(back.attention.clip_qkv, config.attention.clip_qkv);
  EXPECT_EQ(back.attention.rope.theta, config.attention.rope.theta);
  EXPECT_EQ(back.router.n_experts_per_token, config.router.n_experts_per_token);
  EXPECT_EQ(back.eos_token_ids, config.eos_token_ids);
}

// A copy of the plain fixture that a test may spoil.
class SpoiledCheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              ("moescope_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy(testing::fixture_folder("model/olmoe/plain/") + name, folder_ / name);
      fs::permissions(folder_ / name, fs::perms::owner_write, fs::perm_options::add);
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Rewrites the weights with one tensor renamed, dropped (to "") or reshaped.
  void rewrite(const std::string& name, const std::string& new_name, const std::vector<std::int64_t>& shape = {}) {
    const io::SafetensorsFile file =
        io::SafetensorsFile::open(testing::fixture_folder("model/olmoe/plain/model.safetensors"));
    std::vector<io::TensorToWrite> tensors;
    for (const auto& [key, view] : file.tensors()) {
      const bool change = key == name;
      if (change && new_name.empty()) continue;
      tensors.push_back(
          {change ? new_name : key, view.dtype, change && !shape.empty() ? shape : view.shape, view.bytes});
    }
    io::write_safetensors(folder_ / "model.safetensors", tensors);
  }

  std::string open_error() {
    return error_of([&] { Checkpoint::open(io::find_checkpoint(folder_.string())); });
  }

  fs::path folder_;
};

constexpr const char* kRouter = "model.layers.1.mlp.gate.weight";

TEST_F(SpoiledCheckpoint, UnchangedCopyOpens) { EXPECT_EQ(open_error(), "no error"); }

TEST_F(SpoiledCheckpoint, MissingTensorIsNamed) {
  rewrite(kRouter, "");
  EXPECT_THAT(open_error(), HasSubstr(kRouter));
}

TEST_F(SpoiledCheckpoint, ExtraTensorIsNamed) {
  rewrite(kRouter, "model.layers.1.mlp.gates.weight");
  EXPECT_THAT(open_error(), HasSubstr("model.layers.1.mlp.gate"));
}

TEST_F(SpoiledCheckpoint, MisshapenTensorIsNamedWithBothShapes) {
  rewrite(kRouter, kRouter, {32, 8});
  EXPECT_THAT(open_error(), HasSubstr("[32, 8]"));
  EXPECT_THAT(open_error(), HasSubstr("[8, 32]"));
}

TEST_F(SpoiledCheckpoint, TruncatedFileIsRefused) {
  fs::resize_file(folder_ / "model.safetensors", fs::file_size(folder_ / "model.safetensors") - 8);
  EXPECT_THAT(open_error(), HasSubstr("model.safetensors"));
}

TEST_F(SpoiledCheckpoint, BrokenConfigIsNamed) {
  std::ofstream(folder_ / "config.json") << "{\"model_type\": ";
  EXPECT_THAT(open_error(), HasSubstr("config.json"));
}

}  // namespace
}  // namespace moescope::model
