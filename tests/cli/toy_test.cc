// moescope toy as a user meets it: what it prints and writes, wrong use, Ctrl-C and going on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace moescope::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kBinary = std::string(MOESCOPE_BINARY_DIR) + "/moescope";

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct Outcome {
  int exit_code = -1;
  std::string out, err;
};

class ToyCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              ("moescope_toy_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void write_settings(const std::string& lines) const {
    std::ofstream(path("s.toml")) << lines << "\n[[architecture]]\nname = \"dense\"\n[[architecture]]\nname = \"moe\"\n"
                                  << "n_experts = 2\nbalance_coef = 0.01\n";
  }

  Outcome run(const std::string& arguments) const {
    const std::string command =
        kBinary + " " + arguments + " > " + path("stdout") + " 2> " + path("stderr") + " < /dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(path("stdout")), read(path("stderr"))};
  }

  fs::path folder_;
};

TEST_F(ToyCommand, TrainsASweepAndPrintsATableOrJson) {
  write_settings("steps = 50\nbatch = 32\nseeds = 2\ndensities = [0.9, 0.1]\neval_samples = 200");
  const Outcome table = run("toy " + path("s.toml") + " --out " + path("run"));
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("dense"));
  EXPECT_THAT(table.out, HasSubstr("8 models"));
  for (const char* name : {"run.json", "instances.csv", "experts.csv", "losses.csv", "weights.safetensors", "DONE"}) {
    EXPECT_TRUE(fs::exists(folder_ / "run" / name)) << name;
  }
  const Outcome as_json = run("toy " + path("s.toml") + " --json --implementation batched --out " + path("batched"));
  ASSERT_EQ(as_json.exit_code, 0) << as_json.err;
  const nlohmann::json json = nlohmann::json::parse(as_json.out);
  EXPECT_EQ(json.at("models"), 8);
  EXPECT_EQ(json.at("rows").size(), 4u);
  const Outcome again = run("toy " + path("s.toml") + " --json --out " + path("run"));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_NEAR(nlohmann::json::parse(again.out).at("rows")[0].at("held_out_loss").get<double>(),
              json.at("rows")[0].at("held_out_loss").get<double>(), 1e-5);
}

TEST_F(ToyCommand, WrongUseIsToldInOneLine) {
  const auto expect_error = [&](const std::string& arguments, int exit_code, const std::string& part) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(part));
    EXPECT_EQ(outcome.out, "");
  };
  const std::string out = " --out " + path("run");
  expect_error("toy", 2, "settings");
  expect_error("toy " + path("absent.toml") + out, 1, "absent.toml: no such settings file");
  write_settings("stepz = 3");
  expect_error("toy " + path("s.toml") + out, 1, "'stepz' is not a setting");
  write_settings("steps = 3");
  expect_error("toy " + path("s.toml") + out + " --implementation fast", 2, "one of: lanes, batched");
  expect_error("toy " + path("s.toml") + out + " --implementation lanes --device cuda", 2,
               "'batched' runs on cpu, cuda and cuda:INDEX");
  expect_error("toy " + path("s.toml") + out + " --device abacus", 2,
               "unknown device 'abacus': expected cpu, cuda or cuda:INDEX");
}

TEST_F(ToyCommand, CtrlCKeepsWhatIsFinishedAndTheSameCommandGoesOn) {
  write_settings("n_features = 20\nn_dims = 4\nsteps = 400\nbatch = 256\nseeds = 200\neval_samples = 100");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string command = "exec " + kBinary + " toy " + path("s.toml") + " --threads 1 --out " + path("run") +
                                " > " + path("stdout") + " 2> " + path("err");
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  const fs::path first_group = folder_ / "run" / "resume" / "group-0000000.safetensors";
  for (int i = 0; i < 3000 && !fs::exists(first_group); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(child, SIGINT);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT) << read(path("err"));
  EXPECT_THAT(read(path("err")), HasSubstr("the same command goes on"));
  EXPECT_FALSE(fs::exists(folder_ / "run" / "DONE"));
  write_settings("n_features = 20\nn_dims = 4\nsteps = 400\nbatch = 256\nseeds = 200\neval_samples = 101");
  EXPECT_EQ(run("toy " + path("s.toml") + " --out " + path("run")).exit_code, 1);  // a stopped run of other settings
}

}  // namespace
}  // namespace moescope::cli
