// What attracts experts, against probabilities worked out by hand.
#include "moescope/toy/specialization.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "moescope/io/table.h"

namespace moescope::toy {
namespace {

namespace fs = std::filesystem;

// Expert 0 is chosen by features 0 and 1 and holds feature 0 alone; expert 1 by features 2 and 3, which it holds as an
// antipodal pair. Density 0.2.
SweepResult two_experts() {
  SweepResult result;
  SweepArchitecture each;
  each.architecture.name = "pair";
  each.architecture.n_features = 4;
  each.architecture.n_dims = 2;
  each.architecture.n_experts = 2;
  each.architecture.n_active = 1;
  result.settings.architectures = {each};
  result.settings.densities = {0.2};
  result.settings.evaluation.n_samples = 60000;
  SweepInstance instance;
  instance.instance.density = 0.2;
  instance.instance.importance.assign(4, 1.0F);
  instance.instance.seed = 11;
  Weights& weights = instance.trained.trained;
  weights.w = {1, 0, 0, 0.1F, 0, 0, 0, 0, /*expert 1*/ 0, 0, 0, 0, 1, 0, -1, 0};
  weights.b.assign(8, 0.0F);
  weights.gate = {1, 1, 0, 0, 0, 0, 1, 1};
  instance.evaluation =
      evaluate(each.architecture, each.training, instance.instance, weights, result.settings.evaluation);
  result.instances = {instance};
  return result;
}

struct Written {
  io::Table table;
  double real(const char* column, std::size_t row) const {
    return std::get<io::RealColumn>(table.at(column).values)[row].value();
  }
  bool has(const char* column, std::size_t row) const {
    return std::get<io::RealColumn>(table.at(column).values)[row].has_value();
  }
  std::int64_t whole(const char* column, std::size_t row) const {
    return std::get<io::IntColumn>(table.at(column).values)[row].value();
  }
};

Written write_and_read(const SweepResult& result) {
  const fs::path folder = fs::temp_directory_path() / ("moescope_specialization_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  write_specialization(result, folder, 1);
  const io::RealColumn real;
  const io::IntColumn whole;
  const io::TextColumn text;
  Written written{io::read_csv(folder / "specialization.csv", {{{"instance", whole},
                                                                {"architecture", text},
                                                                {"density", real},
                                                                {"replicate", whole},
                                                                {"expert", whole},
                                                                {"status", text},
                                                                {"use", real},
                                                                {"n_own", whole},
                                                                {"use_clamped", real},
                                                                {"use_clamped_full", real},
                                                                {"use_only", real},
                                                                {"n_own_published", whole},
                                                                {"use_clamped_published", real},
                                                                {"use_clamped_full_published", real},
                                                                {"use_only_published", real}}})};
  fs::remove_all(folder);
  return written;
}

TEST(ToySpecialization, SharesAreThoseWorkedOutByHand) {
  const Written written = write_and_read(two_experts());
  ASSERT_EQ(written.table.n_rows(), 2u);
  EXPECT_EQ(written.whole("n_own", 0), 1);
  // x0 = 1: expert 1 wins if u2 + u3 > 1 + x1. Features 2 and 3 are on with p^2; then 1/2 if x1 is off, 1/6 if it is
  // on.
  const double p = 0.2;
  EXPECT_NEAR(written.real("use_clamped", 0), 1 - p * p * ((1 - p) / 2 + p / 6), 0.003);
  EXPECT_NEAR(written.real("use_clamped_full", 0), 5.0 / 6, 0.008);
  EXPECT_DOUBLE_EQ(written.real("use_only", 0), 1);
  // The pair is nobody's own.
  EXPECT_EQ(written.whole("n_own", 1), 0);
  EXPECT_FALSE(written.has("use_clamped", 1));
}

TEST(ToySpecialization, ThePublishedRuleCountsShortRowsToo) {
  const Written written = write_and_read(two_experts());
  EXPECT_EQ(written.whole("n_own_published", 0), 4);  // one feature, a short one, two empty rows
  EXPECT_EQ(written.whole("n_own_published", 1), 2);  // two empty rows
  EXPECT_TRUE(written.has("use_clamped_published", 1));
}

TEST(ToySpecialization, LeavesOutModelsThatDiverged) {
  SweepResult result = two_experts();
  result.instances.push_back(result.instances.front());
  result.instances.front().trained.diverged_step = 3;
  const Written written = write_and_read(result);
  ASSERT_EQ(written.table.n_rows(), 2u);
  EXPECT_EQ(written.whole("instance", 0), 1);
}

}  // namespace
}  // namespace moescope::toy
