#include "moescope/stats/sparse_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "moescope/base/random.h"
#include "moescope/stats/gram.h"
#include "tests/base/vector_targets.h"

namespace moescope::stats {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;

// As tests/reference/make_probe_fixtures.py draws it, to the last bit.
struct Sample {
  std::int32_t width = 0;
  std::vector<float> neurons;  // [n, width]
  std::vector<ProbeItem> items;
};

Sample draw(const std::string& name, std::uint64_t seed, int n_rows, int width, double share, double shift,
            double scale) {
  Random random(seed);
  Sample sample;
  sample.width = width;
  for (int i = 0; i < n_rows; ++i) {
    const bool positive = random.uniform() < share;
    for (int j = 0; j < width; ++j) {
      double value = random.uniform();
      value += random.uniform();
      value += random.uniform();
      value -= 1.5;
      if (positive) value += std::ldexp(shift, -std::min(j, 30));
      const bool constant = name == "constant_columns" && j % 3 == 2;
      sample.neurons.push_back(static_cast<float>(constant ? 0.25 : value * scale));
    }
    const SamplePart part = i % 4 == 3 ? SamplePart::kTest : SamplePart::kTrain;
    sample.items.push_back({i, static_cast<std::uint8_t>(positive ? 1 : 0), part});
  }
  return sample;
}

ProbeResult probe(const Sample& sample, const SparseProbeOptions& options = {}) {
  return fit_sparse_probe(sample.neurons, sample.width, sample.items, options);
}

TEST(SparseProbe, AgreesWithScikitLearn) {
  std::ifstream file(std::string(MOESCOPE_SOURCE_DIR) + "/tests/fixtures/stats/sparse_probe.txt");
  ASSERT_TRUE(file) << "fixture missing";
  SparseProbeOptions options;
  options.keep_fits = true;
  options.min_per_class = 1;
  std::string line, name;
  ProbeResult result;
  std::size_t n_cases = 0, n_fits = 0, fit_idx = 0;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "case") {
      std::uint64_t seed = 0;
      int n_rows = 0, width = 0;
      double share = 0, shift = 0, scale = 0;
      words >> name >> seed >> n_rows >> width >> share >> shift >> scale;
      ASSERT_TRUE(words) << line;
      result = probe(draw(name, seed, n_rows, width, share, shift, scale), options);
      ++n_cases;
      fit_idx = 0;
    } else if (kind == "ranked") {
      std::vector<std::int32_t> ranked;
      for (std::int32_t neuron = 0; words >> neuron;) ranked.push_back(neuron);
      EXPECT_EQ(result.ranked, ranked) << name;
    } else if (kind == "fit") {
      int k = 0;
      double f1 = 0, precision = 0, recall = 0, intercept = 0;
      words >> k >> f1 >> precision >> recall >> intercept;
      const WidthResult& one = result.widths.at(fit_idx);
      const LogisticFit& fit = result.fits.at(fit_idx++);
      ASSERT_EQ(one.k, k);
      ASSERT_EQ(fit.coefficients.size(), static_cast<std::size_t>(k));
      EXPECT_EQ(one.status, ProbeStatus::kOk) << name << ", k = " << k;
      EXPECT_DOUBLE_EQ(one.test.f1, f1) << name << ", k = " << k;
      EXPECT_DOUBLE_EQ(one.test.precision, precision);
      EXPECT_DOUBLE_EQ(one.test.recall, recall);
      EXPECT_NEAR(fit.intercept, intercept, 1e-6) << name << ", k = " << k;
      for (const double found : fit.coefficients) {
        double expected = 0;
        words >> expected;
        ASSERT_TRUE(words) << line;
        EXPECT_NEAR(found, expected, 1e-6) << name << ", k = " << k;
      }
      ++n_fits;
    }
  }
  EXPECT_EQ(n_cases, 8u);
  EXPECT_EQ(n_fits, 7u * 7 + 3);
}

TEST(SparseProbe, StartingFromANarrowerFitChangesNothing) {
  const Sample sample = draw("x", 11, 300, 64, 0.4, 1, 1);
  std::vector<std::uint8_t> labels;
  for (const ProbeItem& item : sample.items) labels.push_back(item.label);
  const LogisticSample rows(sample.neurons, 64, labels);
  const LogisticFit narrow = rows.fit(16, {});
  const LogisticFit cold = rows.fit(64, {}), warm = rows.fit(64, {}, &narrow);
  ASSERT_EQ(cold.status, FitStatus::kOk);
  for (std::size_t j = 0; j < 64; ++j) EXPECT_NEAR(cold.coefficients[j], warm.coefficients[j], 1e-7);
}

TEST(SparseProbe, InterceptAloneIsTheLogOddsOfWeightedClasses) {
  const std::vector<std::uint8_t> labels = {1, 0, 0, 0, 0};
  const LogisticSample rows({}, 0, labels);
  EXPECT_NEAR(rows.fit(0, {}).intercept, 0, 1e-9);  // balanced
  LogisticOptions plain;
  plain.balanced = false;
  EXPECT_NEAR(rows.fit(0, plain).intercept, std::log(0.25), 1e-9);
}

TEST(SparseProbe, TooFewOfAClassIsSaidAndNothingIsFitted) {
  Sample sample = draw("x", 3, 120, 64, 0.5, 1, 1);
  SparseProbeOptions options;
  ProbeResult result = probe(sample, options);
  const std::int64_t fewer = std::min(result.n_positive, result.n_negative);
  EXPECT_EQ(result.n_positive + result.n_negative, 120);
  options.min_per_class = fewer;
  EXPECT_THAT(probe(sample, options).widths, Each(Field(&WidthResult::status, ProbeStatus::kOk)));
  options.min_per_class = fewer + 1;
  result = probe(sample, options);
  EXPECT_THAT(result.widths, Each(Field(&WidthResult::status, ProbeStatus::kTooFew)));
  EXPECT_EQ(result.widths.size(), 7u);
  EXPECT_TRUE(result.ranked.empty());
}

TEST(SparseProbe, PartsWithOneClassAreSaid) {
  Sample sample = draw("x", 3, 400, 64, 0.5, 1, 1);
  for (ProbeItem& item : sample.items) {
    if (item.part == SamplePart::kTest && item.label != 0) item.part = SamplePart::kTrain;
  }
  EXPECT_THAT(probe(sample).widths, Each(Field(&WidthResult::status, ProbeStatus::kOneClass)));
  sample = draw("x", 3, 400, 64, 0.5, 1, 1);
  for (ProbeItem& item : sample.items) {
    if (item.part == SamplePart::kTrain && item.label == 0) item.part = SamplePart::kTest;
  }
  EXPECT_THAT(probe(sample).widths, Each(Field(&WidthResult::status, ProbeStatus::kOneClass)));
  SparseProbeOptions three_parts;  // nothing is in the validation part
  three_parts.score_validation = true;
  EXPECT_THAT(probe(draw("x", 3, 400, 64, 0.5, 1, 1), three_parts).widths,
              Each(Field(&WidthResult::status, ProbeStatus::kOneClass)));
}

TEST(SparseProbe, ValuesThatAreNotNumbersAreSaid) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const std::size_t row : {4u, 7u}) {  // of the train and of the test part
      Sample sample = draw("x", 3, 400, 64, 0.5, 1, 1);
      sample.neurons[row * 64 + 63] = bad;
      EXPECT_THAT(probe(sample).widths, Each(Field(&WidthResult::status, ProbeStatus::kNotFinite))) << row;
    }
  }
  Sample unused = draw("x", 3, 400, 64, 0.5, 1, 1);
  unused.neurons[5] = std::numeric_limits<float>::quiet_NaN();
  unused.items.erase(unused.items.begin());  // the row is not in the sample
  EXPECT_THAT(probe(unused).widths, Each(Field(&WidthResult::status, ProbeStatus::kOk)));
}

TEST(SparseProbe, WidthsBeyondTheNeuronsAreSaid) {
  const ProbeResult result = probe(draw("x", 3, 400, 5, 0.5, 1, 1));
  std::vector<ProbeStatus> statuses;
  for (const WidthResult& one : result.widths) statuses.push_back(one.status);
  constexpr ProbeStatus kOk = ProbeStatus::kOk, kTooNarrow = ProbeStatus::kTooNarrow;
  EXPECT_THAT(statuses, ElementsAre(kOk, kOk, kOk, kTooNarrow, kTooNarrow, kTooNarrow, kTooNarrow));
}

TEST(SparseProbe, ColumnsWithoutSpreadFitToNothing) {
  Sample sample = draw("x", 3, 400, 8, 0.5, 1, 1);
  std::fill(sample.neurons.begin(), sample.neurons.end(), 3.0F);
  SparseProbeOptions options;
  options.keep_fits = true;
  const ProbeResult result = probe(sample, options);
  EXPECT_EQ(result.widths[3].status, ProbeStatus::kOk);
  EXPECT_THAT(result.fits[3].coefficients, Each(testing::DoubleNear(0, 1e-9)));
  EXPECT_THAT(std::vector(result.ranked.begin(), result.ranked.begin() + 3), ElementsAre(0, 1, 2));
}

TEST(SparseProbe, ExtremeValuesStillConverge) {
  for (const double scale : {1e-30, 1e-10, 1e6, 1e12}) {
    const ProbeResult result = probe(draw("x", 9, 300, 64, 0.3, 2, scale));
    for (const WidthResult& one : result.widths) {
      EXPECT_EQ(one.status, ProbeStatus::kOk) << "scale " << scale << ", k = " << one.k << ", steps " << one.n_steps;
    }
  }
}

TEST(SparseProbe, StepsThatRunOutAreSaid) {
  SparseProbeOptions options;
  options.logistic.max_steps = 1;
  EXPECT_EQ(probe(draw("x", 9, 300, 64, 0.3, 2, 1), options).widths[6].status, ProbeStatus::kNotConverged);
}

TEST(SparseProbe, ValidationIsScoredApartFromTheTest) {
  Sample sample = draw("x", 5, 900, 16, 0.5, 1, 1);
  for (ProbeItem& item : sample.items) {
    if (item.row % 4 == 2) item.part = SamplePart::kValidation;
  }
  SparseProbeOptions options;
  options.score_validation = true;
  const ProbeResult both = probe(sample, options);
  for (ProbeItem& item : sample.items) {  // the same fit, the two parts exchanged
    if (item.part != SamplePart::kTrain)
      item.part = item.part == SamplePart::kTest ? SamplePart::kValidation : SamplePart::kTest;
  }
  const ProbeResult exchanged = probe(sample, options);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(both.widths[static_cast<std::size_t>(i)].test.f1,
              exchanged.widths[static_cast<std::size_t>(i)].validation.f1);
  }
  EXPECT_NE(both.widths[0].test.f1, both.widths[0].validation.f1);
}

TEST(BinaryScores, FollowTheirDefinitions) {
  const BinaryScores scores = binary_scores(3, 4, 6);
  EXPECT_DOUBLE_EQ(scores.precision, 0.75);
  EXPECT_DOUBLE_EQ(scores.recall, 0.5);
  EXPECT_DOUBLE_EQ(scores.f1, 0.6);
  EXPECT_EQ(binary_scores(0, 0, 6).f1, 0);
  EXPECT_EQ(binary_scores(0, 0, 6).precision, 0);
}

TEST(Gram, EqualsTheNaiveSum) {
  constexpr std::size_t kRows = 77, kStride = 24, kSize = 19;  // not multiples of what is done together
  Random random(4);
  std::vector<double> rows(kRows * kStride), weights(kRows);
  for (double& x : rows) x = random.uniform() - 0.5;
  for (double& x : weights) x = random.uniform();
  for_each_vector_target([&] {
    std::vector<double> gram((kSize + 1) * kStride, 0.5);
    add_weighted_gram(rows.data(), kRows, kStride, weights.data(), kSize, gram.data());
    for (std::size_t a = 0; a < kSize; ++a) {
      for (std::size_t b = 0; b <= a; ++b) {
        double sum = 0.5;
        for (std::size_t i = 0; i < kRows; ++i) sum += weights[i] * rows[i * kStride + a] * rows[i * kStride + b];
        EXPECT_NEAR(gram[a * kStride + b], sum, 1e-12);
      }
    }
  });
}

TEST(Gram, AddsRowsOfAnyLength) {
  const std::vector<float> row = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  for_each_vector_target([&] {
    for (std::size_t size = 0; size <= row.size(); ++size) {
      std::vector<double> sum(row.size(), 0.5);
      add_row(row.data(), size, sum.data());
      for (std::size_t j = 0; j < row.size(); ++j)
        EXPECT_EQ(sum[j], j < size ? static_cast<double>(row[j]) + 0.5 : 0.5);
    }
  });
}

}  // namespace
}  // namespace moescope::stats
