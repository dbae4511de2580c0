#include "moescope/record/row_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace moescope::record {
namespace {

class RowKernels : public testing::TestWithParam<at::ScalarType> {};

// Widths around the number of lanes; rows around the size of a task.
TEST_P(RowKernels, MatchPlainLoopsInFloat64) {
  at::manual_seed(1);
  for (const std::int64_t width : {1, 15, 16, 17, 64, 1000}) {
    for (const std::int64_t n_rows : {1, 63, 200}) {
      at::Tensor x = at::randn({n_rows, width}).to(GetParam());
      x.masked_fill_(at::rand({n_rows, width}).lt(0.2), 0);  // neurons that are off
      const at::Tensor wide = x.to(at::kDouble);
      const std::vector<float> norms = row_norms(x);
      std::int64_t n_nonzero = 0, n_above = 0;
      for (std::int64_t i = 0; i < n_rows; ++i) {
        const double* row = wide.const_data_ptr<double>() + i * width;
        double squares = 0, most = 0;
        for (std::int64_t j = 0; j < width; ++j) {
          squares += row[j] * row[j];
          most = std::max(most, std::abs(row[j]));
        }
        EXPECT_NEAR(norms[static_cast<std::size_t>(i)], std::sqrt(squares), 1e-6 * std::sqrt(squares));
        for (std::int64_t j = 0; j < width; ++j) {
          n_nonzero += row[j] != 0 ? 1 : 0;
          n_above += std::abs(row[j]) > 0.1F * static_cast<float>(most) ? 1 : 0;
        }
      }
      const NeuronActivity activity = neuron_activity(x);
      EXPECT_EQ(activity.n_nonzero, n_nonzero);
      EXPECT_EQ(activity.n_above_01, n_above);
      // The path of devices other than the CPU, taken here because the rows are not contiguous.
      const at::Tensor strided = x.t().contiguous().t();
      if (width > 1 && n_rows > 1) {
        const NeuronActivity general = neuron_activity(strided);
        EXPECT_EQ(general.n_nonzero, n_nonzero);
        EXPECT_EQ(general.n_above_01, n_above);
        const std::vector<float> other = row_norms(strided);
        for (std::size_t i = 0; i < other.size(); ++i) EXPECT_NEAR(other[i], norms[i], 1e-5 * norms[i]);
      }
    }
  }
}

TEST_P(RowKernels, ATokenWithoutActiveNeuronsHasNone) {
  const NeuronActivity activity = neuron_activity(at::zeros({3, 20}, GetParam()));
  EXPECT_EQ(activity.n_nonzero, 0);
  EXPECT_EQ(activity.n_above_01, 0);
}

TEST(Scores, AreRoundedToFourteenBits) {
  EXPECT_EQ(round_score(0), 0);
  EXPECT_EQ(round_score(1), 1);
  EXPECT_EQ(round_score(0x1.FFFEp3F), 16);  // carries into the exponent
  EXPECT_TRUE(std::isinf(round_score(std::numeric_limits<float>::infinity())));
  for (float x = 1e-6F; x < 1e6F; x *= 1.01371F) {
    int exponent = 0;
    const double mantissa = std::frexp(static_cast<double>(x), &exponent);
    const double want = std::ldexp(std::round(std::ldexp(mantissa, 14)), exponent - 14);
    EXPECT_EQ(static_cast<double>(round_score(x)), want) << x;
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, RowKernels, testing::Values(at::kFloat, at::kBFloat16));

}  // namespace
}  // namespace moescope::record
