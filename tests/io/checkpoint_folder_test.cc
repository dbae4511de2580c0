#include "moescope/io/checkpoint_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

// Sets the variables that lead to the cache, and puts them back.
class Cache : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      old_[name] = value != nullptr ? std::optional<std::string>(value) : std::nullopt;
      ::unsetenv(name);
    }
  }
  void TearDown() override {
    for (const auto& [name, value] : old_) {
      if (value) {
        ::setenv(name.c_str(), value->c_str(), 1);
      } else {
        ::unsetenv(name.c_str());
      }
    }
  }
  void set(const char* name, const fs::path& value) const { ::setenv(name, value.c_str(), 1); }
  // A model in the layout of the hub's own library, files linked to blobs.
  void put_model(const std::string& hub, const std::string& hash, const std::string& reference) const {
    const std::string repository = hub + "/models--org--name/";
    folder.write(repository + "blobs/1234", "{\"model_type\": \"olmoe\"}");
    folder.write(repository + "refs/" + reference, hash);
    fs::create_directories(folder.path() / (repository + "snapshots/" + hash));
    fs::create_symlink("../../blobs/1234", folder.path() / (repository + "snapshots/" + hash + "/config.json"));
  }
  TemporaryFolder folder;
  std::map<std::string, std::optional<std::string>> old_;
};

TEST_F(Cache, IsLookedUpInTheOrderOfTheHubLibrary) {
  EXPECT_EQ(hugging_face_cache(), fs::path());
  set("HOME", "/h");
  EXPECT_EQ(hugging_face_cache(), "/h/.cache/huggingface/hub");
  set("XDG_CACHE_HOME", "/x");
  EXPECT_EQ(hugging_face_cache(), "/x/huggingface/hub");
  set("HF_HOME", "~/models");
  EXPECT_EQ(hugging_face_cache(), "/h/models/hub");
  set("HF_HUB_CACHE", "/cache");
  EXPECT_EQ(hugging_face_cache(), "/cache");
  set("HF_HUB_CACHE", "");
  EXPECT_EQ(hugging_face_cache(), "/h/models/hub");
}

TEST_F(Cache, FindsAModelByNameRevisionAndCommit) {
  put_model("hub", "abc123", "main");
  put_model("hub", "def456", "step/1000");
  set("HF_HOME", folder.path());
  const auto snapshots = folder.path() / "hub/models--org--name/snapshots";
  EXPECT_EQ(find_checkpoint("org/name").folder, snapshots / "abc123");
  EXPECT_EQ(find_checkpoint("org/name", "step/1000").folder, snapshots / "def456");
  EXPECT_EQ(find_checkpoint("org/name", "def456").folder, snapshots / "def456");
  EXPECT_EQ(find_checkpoint("org/name").config_json, snapshots / "abc123/config.json");
  EXPECT_TRUE(find_checkpoint("org/name").tokenizer_json.empty());
  EXPECT_EQ(read_json(find_checkpoint("org/name").config_json).at("model_type"), "olmoe");
}

TEST_F(Cache, SaysHowToFetchWhatIsAbsent) {
  set("HF_HUB_CACHE", folder.path());
  EXPECT_THAT(error_of([] { find_checkpoint("allenai/OLMoE-1B-7B-0125"); }),
              HasSubstr("hf download allenai/OLMoE-1B-7B-0125)"));
  EXPECT_THAT(error_of([] { find_checkpoint("org/name", "v2"); }), HasSubstr("hf download org/name --revision v2"));
  put_model(".", "abc123", "main");
  EXPECT_THAT(error_of([] { find_checkpoint("org/name", "v2"); }), HasSubstr("hf download org/name --revision v2"));
  fs::remove(folder.path() / "models--org--name/snapshots/abc123/config.json");
  EXPECT_THAT(error_of([] { find_checkpoint("org/name"); }), HasSubstr("hf download org/name"));
}

TEST_F(Cache, RefusesNamesAndRevisionsThatLeaveIt) {
  set("HF_HUB_CACHE", folder.path() / "cache");
  put_model("cache", "abc123", "main");
  for (const char* name : {"", "../x", "a/b/c", "/nowhere", "org/..", "./x", "org/na me", "org/"}) {
    EXPECT_THAT(error_of([&] { find_checkpoint(name); }), HasSubstr("no such folder")) << name;
  }
  for (const char* revision : {"", "../../x", "/etc/passwd"}) {
    EXPECT_THAT(error_of([&] { find_checkpoint("org/name", revision); }), HasSubstr("is no revision")) << revision;
  }
  folder.write("cache/models--org--name/refs/bad", "../../elsewhere\n");
  EXPECT_THAT(error_of([] { find_checkpoint("org/name", "bad"); }), HasSubstr("expected the hash of a commit"));
}

TEST(CheckpointFolder, IsAFolderWithConfig) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { find_checkpoint(folder.path().string()); }), HasSubstr("no config.json"));
  folder.write("config.json", "{}");
  CheckpointFolder checkpoint = find_checkpoint(folder.path().string());
  EXPECT_TRUE(checkpoint.weights.empty());
  EXPECT_THAT(error_of([&] { require_weights(checkpoint); }), HasSubstr("neither model.safetensors nor"));
  folder.write("pytorch_model.bin", "");
  EXPECT_THAT(error_of([&] { require_weights(checkpoint); }), HasSubstr("only \"pytorch_model.bin\""));
  folder.write("tokenizer.json", "{}");
  folder.write("generation_config.json", "{}");
  folder.write("model.safetensors.index.json", "{}");
  checkpoint = find_checkpoint(folder.path().string());
  EXPECT_EQ(checkpoint.tokenizer_json, folder.path() / "tokenizer.json");
  EXPECT_EQ(checkpoint.generation_config_json, folder.path() / "generation_config.json");
  EXPECT_EQ(checkpoint.weights, folder.path() / "model.safetensors.index.json");
  folder.write("model.safetensors", "");
  EXPECT_EQ(find_checkpoint(folder.path().string()).weights, folder.path() / "model.safetensors");
  EXPECT_THAT(error_of([&] { find_checkpoint(folder.path().string(), "v1"); }), HasSubstr("has no revision"));
  EXPECT_THAT(error_of([&] { find_checkpoint((folder.path() / "config.json").string()); }), HasSubstr("is a file"));
}

TEST(CheckpointFolder, AnIncompleteDownloadIsAnError) {
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  fs::create_symlink("../blobs/absent", folder.path() / "model.safetensors");
  EXPECT_THAT(error_of([&] { find_checkpoint(folder.path().string()); }), HasSubstr("the download is incomplete"));
}

TEST(CheckpointFolder, HashFollowsEveryByteAndNotThePlace) {
  const auto make = [](const TemporaryFolder& folder, float value, const std::string& config) {
    folder.write("config.json", config);
    const std::vector<float> a = {1, 2, value}, b = {4};
    write_safetensors(folder.path() / "one.safetensors", std::vector{tensor_to_write("a", {3}, a)});
    write_safetensors(folder.path() / "two.safetensors", std::vector{tensor_to_write("b", {1}, b)});
    folder.write("model.safetensors.index.json", R"({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
    return find_checkpoint(folder.path().string());
  };
  const TemporaryFolder one, two, three, four;
  const std::string hash = checkpoint_hash(make(one, 3, "{}"));
  EXPECT_EQ(hash.size(), 32u);
  EXPECT_EQ(checkpoint_hash(make(two, 3, "{}")), hash);
  const auto other_weights = make(three, 4, "{}"), other_config = make(four, 3, "{} ");
  EXPECT_NE(checkpoint_hash(other_weights), hash);
  EXPECT_NE(checkpoint_hash(other_config), hash);
  EXPECT_EQ(checkpoint_hash(other_weights, false), checkpoint_hash(find_checkpoint(one.path().string()), false));
  EXPECT_NE(checkpoint_hash(other_config, false), checkpoint_hash(find_checkpoint(one.path().string()), false));
}

TEST(ReadJson, NamesFileLineAndColumn) {
  const TemporaryFolder folder;
  const auto bad = [&](const std::string& text) { return error_of([&] { read_json(folder.write("a.json", text)); }); };
  EXPECT_THAT(bad("{\n  \"a\": 1,\n  }\n"), HasSubstr("a.json, line 3, column 3: not JSON"));
  EXPECT_THAT(bad(""), HasSubstr("line 1, column 1: not JSON"));
  EXPECT_THAT(bad("{\"a\": \"\xFF\"}"), HasSubstr("not JSON"));
  EXPECT_THAT(bad(std::string(100'000, '[')), HasSubstr("nested deeper than 512"));
  EXPECT_EQ(read_json(folder.write("b.json", "[\"[[\\\"[[\"]")), nlohmann::json::array({"[[\"[["}));
  EXPECT_THAT(error_of([&] { read_json(folder.path() / "absent.json"); }), HasSubstr("absent.json"));
}

}  // namespace
}  // namespace moescope::io
