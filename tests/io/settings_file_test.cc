#include "moescope/io/settings_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "moescope/base/error.h"
#include "tests/io/temporary_folder.h"

namespace moescope::io {
namespace {

using ::testing::ElementsAre;

struct Sample {
  std::int64_t n_steps = 3;
  double lr = 0.1;
  bool shuffle = true;
  std::string dtype = "auto";
  std::vector<double> densities;

  void describe(OptionList& list) {
    list.add("n-steps", n_steps, "how many", {.least = 1});
    list.add("lr", lr, "rate");
    list.add("shuffle", shuffle, "in a random order");
    list.add("dtype", dtype, "of the run", {.words = {"auto", "float32"}});
    list.add("densities", densities, "all of them");
  }
};

class SettingsFile : public ::testing::Test {
 protected:
  // The settings that a file of this text makes of the defaults.
  Sample read(const std::string& text, const std::vector<std::string_view>& tables = {}) {
    std::ofstream(path()) << text;
    Sample sample;
    OptionList list = described(sample);
    read_settings(path()).apply(list, tables);
    return sample;
  }
  std::string error(const std::string& text) {
    try {
      read(text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      const std::string what = error.what();
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
      EXPECT_TRUE(what.starts_with(path())) << what;
      return what.substr(std::min(what.size(), path().size()));
    }
    return "no error";
  }
  std::string path() const { return (folder_.path() / "s.toml").string(); }

  TemporaryFolder folder_;
};

TEST_F(SettingsFile, KeysAreNamesInEitherSpelling) {
  const Sample sample = read(
      "# comment\nn_steps = 1_000\nlr = 4e-3\nno-shuffle = true\n\ndtype = 'float32'\ndensities = [1, 0.5, # more\n "
      "0.25,]\n");
  EXPECT_EQ(sample.n_steps, 1000);
  EXPECT_EQ(sample.lr, 4e-3);
  EXPECT_FALSE(sample.shuffle);
  EXPECT_EQ(sample.dtype, "float32");
  EXPECT_THAT(sample.densities, ElementsAre(1, 0.5, 0.25));
  EXPECT_EQ(read("n-steps = 7").n_steps, 7);
  EXPECT_EQ(read("").n_steps, 3);
}

TEST_F(SettingsFile, ErrorsNameFileLineAndKey) {
  EXPECT_EQ(error("lr = 1\n\nn_stepz = 5\n"), ", line 3: 'n_stepz' is not a setting (did you mean 'n_steps'?)");
  EXPECT_EQ(error("frobnicate = 5\n"), ", line 1: 'frobnicate' is not a setting");
  EXPECT_EQ(error("lr = 1\nn_steps = 0\n"), ", line 2: n_steps is 0, expected at least 1");
  EXPECT_EQ(error("n-steps = 0\n"), ", line 1: n-steps is 0, expected at least 1");
  EXPECT_EQ(error("n_steps = \"5\"\n"), ", line 1: n_steps: '5' is not a whole number");
  EXPECT_EQ(error("n_steps = [5]\n"), ", line 1: n_steps takes one value, not a list");
  EXPECT_EQ(error("lr = nan\n"), ", line 1: lr: nan is not a finite number");
  EXPECT_EQ(error("shuffle = 1\n"), ", line 1: shuffle: '1' is neither true nor false");
  EXPECT_EQ(error("no-shuffle = 1\n"), ", line 1: 'shuffle': '1' is neither true nor false");
  EXPECT_EQ(error("dtype = 'float8'\n"), ", line 1: dtype: 'float8' is unknown; one of: auto, float32");
  EXPECT_EQ(error("densities = [1,\n 1979-05-27]\n"),
            ", line 2: 'densities' is neither true, false, a number nor a text");
  EXPECT_EQ(error("densities = [[1]]\n"), ", line 1: 'densities' is neither true, false, a number nor a text");
  EXPECT_EQ(error("lr = 1\n[model]\nn_steps = 1\n"), ", line 2: the table 'model' is unknown");
  EXPECT_EQ(error("lr = 1\n[[model]]\nn_steps = 1\n"), ", line 2: the table 'model' is unknown");
}

TEST_F(SettingsFile, WhatIsNoTomlIsRefusedWithItsLine) {
  for (const char* bad : {"lr = 1\nn_steps\n", "lr = 1\nn_steps = \n", "lr = 1\nlr = 2\n", "lr = 1\ndtype = auto\n",
                          "lr = 1\ndensities = [1\n", "lr = 1\n\"\xff\" = 2\n", "lr = 1\n[[model]\n"}) {
    EXPECT_TRUE(error(bad).starts_with(", line ")) << bad << error(bad);
  }
  EXPECT_THROW(read_settings(folder_.path() / "absent.toml"), Error);
  EXPECT_THROW(read_settings(folder_.path()), Error);
  // Deeper than any parser should follow.
  EXPECT_TRUE(error("lr = " + std::string(100000, '[')).starts_with(", line 1: "));
}

TEST_F(SettingsFile, TablesOfOneNameAreGivenInTheirOrder) {
  const std::string text = "lr = 2\n[[model]]\nn_steps = 1\n[[model]]\nn_steps = 2\nlr = 5\n";
  EXPECT_EQ(read(text, {"model"}).lr, 2);
  std::vector<std::int64_t> steps;
  for (const auto& [name, table] : read_settings(path()).tables) {
    EXPECT_EQ(name, "model");
    Sample sample;
    OptionList list = described(sample);
    table.apply(list);
    steps.push_back(sample.n_steps);
  }
  EXPECT_THAT(steps, ElementsAre(1, 2));
}

}  // namespace
}  // namespace moescope::io
