// The programs in examples/ print what the same numbers say when they are taken from elsewhere: windows written by
// hand, and the trace and the recording of the `moescope` program.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/io/safetensors.h"
#include "moescope/run/record_files.h"
#include "tests/io/temporary_folder.h"

namespace moescope {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kBuild = MOESCOPE_BINARY_DIR;
const std::string kTiny = MOESCOPE_SOURCE_DIR "/models/tiny-olmoe";

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

class Examples : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  // `program` in the build folder; arguments are words of a shell.
  Outcome run(const std::string& program, const std::string& arguments) const {
    const std::string command =
        fmt::format("{}/{} {} > {} 2> {}", kBuild, program, arguments, path("stdout"), path("stderr"));
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, io::slurp(path("stdout")), io::slurp(path("stderr"))};
  }

  // The bundled model runs only where these were built: with LibTorch and with the libraries of the tokenizer.
  static bool runs_models() { return std::filesystem::exists(kBuild + "/examples/repeated_experts"); }

  io::TemporaryFolder folder_;
};

// Two layers of two experts; windows of up to three tokens.
void write_run(const io::TemporaryFolder& folder) {
  folder.write("run/run.json", R"({"schema": 2, "command": "record", "model": {"n_layers": 2, "n_experts": 2,
                                   "n_experts_per_token": 1, "n_parameters": null, "n_active_parameters": null}})");
  folder.write("run/vocabulary.json", R"({"pieces": ["The", " cat", " sat"]})");
  run::Evidence evidence;
  evidence.n_windows = 4;
  evidence.n_positions = 3;
  evidence.layer = {0, 1, 1, 1};
  evidence.expert = {1, 0, 0, 0};
  evidence.kind = {0, 0, 0, 1};
  evidence.decile = {-1, -1, -1, 9};
  evidence.strength = {1, 2.5f, 0.25f, 2.5f};
  evidence.doc_idx = {0, 4, 5, 4};
  evidence.position = {0, 32, 0, 32};
  evidence.length = {1, 3, 2, 3};
  evidence.token_ids = {0, -1, -1, 0, 1, 2, 2, 1, -1, 0, 1, 2};
  evidence.scores = {1, 0, 0, 0, 2.5f, 0.5f, 0, 0.25f, 0, 0, 2.5f, 0.5f};
  evidence.strongest.assign(4 * 5, -1);
  evidence.promoted.assign(4 * 5 * 3, -1);
  std::vector<io::TensorToWrite> tensors;
  run::add_tensors(tensors, evidence);
  io::write_safetensors(folder.path() / "run" / "evidence.safetensors", tensors);
}

TEST_F(Examples, StrongestWindowsMarksTheTokensThatReachedTheExpert) {
  write_run(folder_);
  EXPECT_EQ(run("examples/strongest_windows", path("run") + " 1 0").out,
            "2.500  document 4, token 32: The** cat**** sat**\n"
            "0.250  document 5, token 0:  sat** cat**\n");
  EXPECT_EQ(run("examples/strongest_windows", path("run") + " 0 1").out, "1.000  document 0, token 0: **The**\n");
  EXPECT_THAT(run("examples/strongest_windows", path("run") + " 1 1").out, StartsWith("no window"));
}

TEST_F(Examples, StrongestWindowsRefusesWhatIsNotThere) {
  write_run(folder_);
  EXPECT_EQ(run("examples/strongest_windows", path("run")).exit_code, 2);
  for (const auto& [arguments, part] :
       std::vector<std::pair<std::string, std::string>>{{path("run") + " 1 2", "no expert 2 in layer 1"},
                                                        {path("run") + " -1 0", "no expert 0 in layer -1"},
                                                        {path("run") + " 1 one", "'one' is not a whole number"},
                                                        {path("other") + " 1 0", "not a run directory"}}) {
    const Outcome outcome = run("examples/strongest_windows", arguments);
    EXPECT_EQ(outcome.exit_code, 1) << arguments;
    EXPECT_THAT(outcome.err, HasSubstr(part));
    EXPECT_EQ(outcome.out, "") << arguments;
  }
}

TEST_F(Examples, ExpertsOfTokensPrintsWhatTraceWrites) {
  if (!runs_models()) GTEST_SKIP() << "this build runs no model on text";
  const std::string text = "The quick brown fox";
  ASSERT_EQ(
      run("moescope", fmt::format("trace {} --text '{}' --what router --out {}", kTiny, text, path("t"))).exit_code, 0);
  const auto trace = io::SafetensorsFile::open(path("t"));
  const auto tokens =
      nlohmann::json::parse(run("moescope", fmt::format("tokenize {} --text '{}' --json", kTiny, text)).out);
  std::string expected;
  for (std::size_t t = 0; t < tokens.at("ids").size(); ++t) {
    const std::size_t begin = tokens.at("offsets")[t][0], end = tokens.at("offsets")[t][1];
    expected += fmt::format("token {} \"{}\"\n", t, text.substr(begin, end - begin));
    for (int layer = 0; trace.contains(fmt::format("layers.{}.expert_ids", layer)); ++layer) {
      const io::TensorView& ids = trace.at(fmt::format("layers.{}.expert_ids", layer));
      const auto id = ids.to_vector<std::int32_t>();
      const auto weight = trace.at(fmt::format("layers.{}.expert_weights", layer)).to_vector<float>();
      const auto n_per_token = static_cast<std::size_t>(ids.shape.at(1));
      expected += fmt::format("  layer {} ", layer);
      for (std::size_t i = t * n_per_token; i < (t + 1) * n_per_token; ++i) {
        expected += fmt::format(" {}:{:.3f}", id[i], weight[i]);
      }
      expected += "\n";
    }
  }
  EXPECT_EQ(run("examples/experts_of_tokens", fmt::format("{} '{}'", kTiny, text)).out, expected);
  const Outcome outcome = run("examples/experts_of_tokens", path("no-model") + " text");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no-model"));
}

TEST_F(Examples, RepeatedExpertsCountsWhatTheRecordedTraceHolds) {
  if (!runs_models()) GTEST_SKIP() << "this build runs no model on text";
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += fmt::format("The river runs past the old house, and x = {} + y({});\n", i, i * i);
  folder_.write("texts/a.txt", text);
  folder_.write("texts/b.txt", "A second document, shorter.");
  ASSERT_EQ(run("moescope", fmt::format("record {} {} --out {} --seed 0", kTiny, path("texts"), path("run"))).exit_code,
            0);
  const auto trace = io::SafetensorsFile::open(path("run/trace.safetensors"));
  const auto context_position = trace.at("context_position").to_vector<std::int32_t>();
  std::string expected = "layer     pairs  shared  expected\n";
  for (int layer = 0; trace.contains(fmt::format("layers.{}.expert_ids", layer)); ++layer) {
    const io::TensorView& tensor = trace.at(fmt::format("layers.{}.expert_ids", layer));
    const auto ids = tensor.to_vector<std::int32_t>();
    const auto n_per_token = static_cast<std::size_t>(tensor.shape.at(1));
    std::int64_t n_pairs = 0, n_shared = 0;
    std::vector<double> n_by_expert(64);
    for (std::size_t t = 0; t < context_position.size(); ++t) {
      for (std::size_t k = 0; k < n_per_token; ++k)
        ++n_by_expert.at(static_cast<std::size_t>(ids[t * n_per_token + k]));
      if (context_position[t] == 0) continue;
      ++n_pairs;
      for (std::size_t k = 0; k < n_per_token; ++k) {
        for (std::size_t j = 0; j < n_per_token; ++j) {
          n_shared += ids[t * n_per_token + k] == ids[(t - 1) * n_per_token + j] ? 1 : 0;
        }
      }
    }
    double sum_of_squares = 0;
    for (const double n : n_by_expert) sum_of_squares += n * n;
    const auto n_tokens = static_cast<double>(context_position.size()), k = static_cast<double>(n_per_token);
    expected += fmt::format("{:5}  {:8}  {:6.4f}    {:6.4f}\n", layer, n_pairs,
                            static_cast<double>(n_shared) / (static_cast<double>(n_pairs) * k),
                            sum_of_squares / (n_tokens * n_tokens * k));
    EXPECT_GT(n_pairs, 1000);
  }
  EXPECT_EQ(run("examples/repeated_experts", fmt::format("{} {}", kTiny, path("texts"))).out, expected);
}

}  // namespace
}  // namespace moescope
