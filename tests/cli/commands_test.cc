// The program as a user meets it: exit codes, one-line errors, files written, Ctrl-C.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "moescope/io/safetensors.h"

namespace moescope::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kBinary = std::string(MOESCOPE_BINARY_DIR) + "/moescope";
const std::string kSource = MOESCOPE_SOURCE_DIR;
const std::string kFixture = kSource + "/tests/fixtures/model/olmoe/plain";
const std::string kTiny = kSource + "/models/tiny-olmoe";

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

class Commands : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              ("moescope_cli_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::ofstream text(folder_ / "text.txt");
    for (int i = 0; i < 200; ++i)
      text << "The river runs past the old house, and x = " << i << " + y(" << i * i << ");\n";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  Outcome run(const std::string& arguments) const {
    const std::string command =
        kBinary + " " + arguments + " > " + path("stdout") + " 2> " + path("stderr") + " < /dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(path("stdout")), read(path("stderr"))};
  }

  void expect_error(const std::string& arguments, int exit_code, const std::string& part) const {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << arguments << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(part)) << arguments;
    EXPECT_THAT(outcome.err, Not(HasSubstr("internal error"))) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
  }

  fs::path folder_;
};

TEST_F(Commands, EveryCommandHasHelpWithAnExampleAndJson) {
  for (const char* command :
       {"info", "tokenize", "generate", "trace", "record", "label", "report", "analyze", "train"}) {
    const Outcome help = run(std::string(command) + " --help");
    EXPECT_EQ(help.exit_code, 0) << command;
    const std::size_t example = help.out.find("xample:");
    ASSERT_NE(example, std::string::npos) << command;
    EXPECT_THAT(help.out.substr(example), HasSubstr("moescope " + std::string(command) + " ")) << command;
    EXPECT_THAT(help.out, HasSubstr("--json")) << command;
  }
}

TEST_F(Commands, WrongUseIsExitCodeTwo) {
  expect_error("frobnicate", 2, "moescope: unknown command 'frobnicate' (moescope --help lists them)\n");
  expect_error("", 2, "no command given");
  expect_error("--no-such-flag", 2, "--no-such-flag");
  expect_error("info", 2, "MODEL is missing");
  expect_error("info " + kFixture + " --no-such-flag", 2, "--no-such-flag");
  expect_error("trace " + kFixture + " --out " + path("t") + " --ids 1,two", 2, "two");
  expect_error("trace " + kFixture + " --out " + path("t"), 2, "--ids");
  expect_error("trace " + kFixture + " --ids 1 --what nonsense --out " + path("t"), 2, "nonsense");
}

TEST_F(Commands, BadInputIsExitCodeOneAndOneLine) {
  const std::string out = " --out " + path("run");
  expect_error("info no/such-model", 1, "hf download no/such-model");
  expect_error("trace " + kFixture + " --ids 1,2,9999 --out " + path("t"), 1, "9999");
  expect_error("trace " + kFixture + " --text hello --out " + path("t"), 1, "tokenizer.json");
  expect_error("record " + kTiny + " " + path("absent.txt") + out, 1, "absent.txt");
  std::ofstream(path("empty.txt")).close();
  expect_error("record " + kTiny + " " + path("empty.txt") + out, 1, "empty");
  std::ofstream(path("bad.jsonl")) << "{\"text\": \"fine\"}\n{broken\n";
  expect_error("record " + kTiny + " " + path("bad.jsonl") + out, 1, "bad.jsonl, line 2");
  expect_error("label " + path("nowhere"), 1, "run.json");
  expect_error("train --corpus " + path("text.txt") + " --settings " + path("no.toml") + out, 1, "no.toml");
}

TEST_F(Commands, EveryCommandKnowsTheSameDevicesAndDtypes) {
  const std::string text = " " + path("text.txt"), out = " --out " + path("run");
  std::ofstream(path("toy.toml")) << "steps = 3\nbatch = 8\n[[architecture]]\nname = \"dense\"\n";
  const std::vector<std::string> opening = {"record " + kTiny + text + out,      "analyze " + kTiny + text + out,
                                            "probe " + kTiny + text + out,       "superpose " + kTiny + text + out,
                                            "trace " + kTiny + " --ids 1" + out, "generate " + kTiny + " --ids 1"};
  const std::string train = "train --corpus" + text + out, toy = "toy " + path("toy.toml") + out;
  std::vector<std::string> commands = opening;
  commands.insert(commands.end(), {train, toy});
  const auto expect_line = [&](const std::string& arguments, int exit_code, const std::string& line) {
    expect_error(arguments, exit_code, line);
    const std::string err = read(path("stderr"));
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << arguments << "\n" << err;
  };
  for (const std::string& command : commands) {
    for (const char* device : {"gpu", "CPU", "cuda:"}) {
      expect_line(command + " --device " + device, 2,
                  "unknown device '" + std::string(device) + "': expected cpu, cuda or cuda:INDEX");
    }
    expect_line(command + " --device cuda:99", 1, "device 'cuda:99' does not exist");
    expect_line(command + " --threads -1", 2, "threads is -1");
  }
  for (const std::string& command : opening) {
    expect_line(command + " --dtype half", 2, "--dtype: 'half' is unknown; one of: auto, float32, bfloat16");
  }
  for (const char* flag : {"--dtype", "--save-dtype"}) {
    expect_line(train + " " + flag + " half", 2, std::string(flag) + ": 'half' is unknown; one of: float32, bfloat16");
  }
  EXPECT_FALSE(fs::exists(folder_ / "run"));  // before anything is written
}

TEST_F(Commands, ASettingsFileIsReadAndAFlagWins) {
  const std::string train =
      "train --corpus " + path("text.txt") + " --out " + path("m") + " --settings " + path("s.toml");
  std::ofstream(path("s.toml")) << "micro-sequences = 5\nn_layers = 1\n";
  expect_error(train, 2, "--batch-sequences 32 is not a multiple of --micro-sequences 5");
  expect_error(train + " --micro-sequences 7", 2, "--micro-sequences 7");
  std::ofstream(path("s.toml")) << "lr = 1\nsteps = 0\n";
  expect_error(train, 1, "s.toml, line 2: steps is 0, expected at least 1");
  std::ofstream(path("s.toml")) << "stepz = 5\n";
  expect_error(train, 1, "s.toml, line 1: 'stepz' is not a setting of 'train' (did you mean 'steps'?)");
}

TEST_F(Commands, TraceWritesTheNumbersOfTheReference) {
  const io::SafetensorsFile reference = io::SafetensorsFile::open(kFixture + "/reference.safetensors");
  const std::vector<std::int32_t> ids = reference.at("input_ids").to_vector<std::int32_t>();
  const auto n_positions = static_cast<std::size_t>(reference.at("input_ids").shape[1]);
  std::string list;
  for (std::size_t i = 0; i < n_positions; ++i) list += (i == 0 ? "" : ",") + std::to_string(ids[i]);
  const Outcome outcome = run("trace " + kFixture + " --ids " + list + " --json --out " + path("t.safetensors"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("token_ids").size(), n_positions);
  const io::SafetensorsFile trace = io::SafetensorsFile::open(path("t.safetensors"));
  for (const char* name : {"logits", "layers.1.router_logits", "layers.1.expert_weights", "layers.2.neurons",
                           "layers.0.expert_outputs", "layers.2.residual"}) {
    const std::vector<float> expected = reference.at(name).to_vector<float>();
    const std::vector<float> found = trace.at(name).to_vector<float>();
    ASSERT_FALSE(found.empty()) << name;
    float largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) largest = std::max(largest, std::abs(expected[i]));
    // The reference's first sequence comes first, so its values are a prefix.
    for (std::size_t i = 0; i < found.size(); ++i)
      ASSERT_NEAR(found[i], expected[i], 1e-4F * largest) << name << " " << i;
  }
}

TEST_F(Commands, AnalyzeWritesACompleteRunDirectory) {
  const Outcome outcome =
      run("analyze " + kTiny + " " + path("text.txt") + " --out " + path("run") + " --resamples 100");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* file : {"run.json", "vocabulary.json", "documents.jsonl", "trace.safetensors", "experts.csv",
                           "layers.csv", "domains.csv", "input_tokens.safetensors", "coactivation.safetensors",
                           "evidence.safetensors", "labels.jsonl", "label_summary.json", "report.html", "DONE"}) {
    EXPECT_TRUE(fs::exists(folder_ / "run" / file)) << file;
  }
  const nlohmann::json run_json = nlohmann::json::parse(read(folder_ / "run" / "run.json"));
  EXPECT_EQ(run_json.at("model").at("n_experts"), 32);
  EXPECT_EQ(run_json.at("corpus").at("n_documents"), 1);
  std::ofstream(path("other.txt")) << "another corpus altogether\n";
  expect_error("record " + kTiny + " " + path("other.txt") + " --out " + path("run"), 1, "corpus");
}

// Starts the program, sends SIGINT once `ready` appears on its stderr, returns its exit code.
int interrupt_when(const std::vector<std::string>& arguments, const std::string& err, const std::string& ready) {
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen(err.c_str(), "w", stderr) == nullptr) _exit(99);
    std::vector<char*> argv = {const_cast<char*>(kBinary.c_str())};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(kBinary.c_str(), argv.data());
    _exit(98);
  }
  for (int i = 0; i < 1200 && read(err).find(ready) == std::string::npos; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Commands, CtrlCSavesTheTrainingAndTheSameCommandGoesOn) {
  const std::vector<std::string> arguments = {"train",
                                              "--corpus",
                                              kSource + "/docs",
                                              "--out",
                                              path("model"),
                                              "--vocab-size",
                                              "300",
                                              "--validation-frac",
                                              "0.3",
                                              "--steps",
                                              "100000",
                                              "--n-layers",
                                              "1",
                                              "--d-model",
                                              "16",
                                              "--n-heads",
                                              "2",
                                              "--n-experts",
                                              "4",
                                              "--n-experts-per-token",
                                              "2",
                                              "--d-expert",
                                              "8",
                                              "--n-ctx",
                                              "16",
                                              "--batch-sequences",
                                              "2",
                                              "--micro-sequences",
                                              "2"};
  EXPECT_EQ(interrupt_when(arguments, path("err"), "held out"), 128 + SIGINT);
  EXPECT_THAT(read(path("err")), HasSubstr("the same command goes on"));
  EXPECT_TRUE(fs::exists(folder_ / "model" / "state" / "state.safetensors"));
  EXPECT_EQ(interrupt_when(arguments, path("err"), "going on at step"), 128 + SIGINT);
}

}  // namespace
}  // namespace moescope::cli
