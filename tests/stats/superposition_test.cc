#include "moescope/stats/superposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "moescope/base/error.h"
#include "moescope/base/random.h"

namespace moescope::stats {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Vectors {
  std::vector<float> rows;
  std::int64_t n, m;
  FeatureMatrix view() const { return {rows, n, m}; }
};

const Vectors kOrthonormal = {{1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3};
const Vectors kAntipodal = {{1, -1}, 2, 1};
// e0 twice over in two dimensions, e1 short of half, one row of zeros.
const Vectors kMixed = {{1, 0, 0, 0.4f, 0, 0}, 3, 2};

Vectors pentagon() {
  Vectors w{{}, 5, 2};
  for (int i = 0; i < 5; ++i) {
    w.rows.push_back(static_cast<float>(std::cos(2 * std::numbers::pi * i / 5)));
    w.rows.push_back(static_cast<float>(std::sin(2 * std::numbers::pi * i / 5)));
  }
  return w;
}

ModelMeasures dense(const Vectors& w) {
  const std::vector<ExpertUse> uses(1);
  const std::vector<ExpertMeasures> experts = {expert_measures(w.view(), uses[0])};
  return model_measures(experts, uses, w.m, 1);
}

TEST(FeatureMeasures, OfOrthogonalFeaturesAreOnesAndZeros) {
  for (const FeatureMeasures& feature : feature_measures(kOrthonormal.view())) {
    EXPECT_DOUBLE_EQ(feature.norm, 1);
    EXPECT_DOUBLE_EQ(feature.interference, 0);
    EXPECT_DOUBLE_EQ(feature.score_with_self, 1);
    EXPECT_DOUBLE_EQ(feature.dimensionality.value(), 1);
    EXPECT_EQ(feature_class(feature), FeatureClass::kMonosemantic);
  }
  EXPECT_DOUBLE_EQ(dense(kOrthonormal).published, 1);
  EXPECT_DOUBLE_EQ(dense(kOrthonormal).represented, 1);
}

TEST(FeatureMeasures, OfAnAntipodalPairShareOneDimension) {
  const std::vector<double> density = {0.5, 0.1};
  const std::vector<FeatureMeasures> pair = feature_measures(kAntipodal.view(), density);
  for (const FeatureMeasures& feature : pair) {
    EXPECT_DOUBLE_EQ(feature.interference, 1);
    EXPECT_DOUBLE_EQ(feature.interference_squared, 1);
    EXPECT_DOUBLE_EQ(feature.score_with_self, 2);
    EXPECT_DOUBLE_EQ(feature.dimensionality.value(), 0.5);
    EXPECT_EQ(feature_class(feature), FeatureClass::kSuperposed);
  }
  EXPECT_DOUBLE_EQ(pair[0].net_interference, 0.1);  // the density of the other one
  EXPECT_DOUBLE_EQ(pair[1].net_interference, 0.5);
  EXPECT_DOUBLE_EQ(dense(kAntipodal).published, 2);
  EXPECT_DOUBLE_EQ(dense(kAntipodal).represented, 2);
}

TEST(FeatureMeasures, OfAPentagonGiveTwoFifthsOfADimension) {
  // cos 72 and cos 144 degrees, each twice: 2 * (0.0954915 + 0.6545085) = 1.5 exactly.
  for (const FeatureMeasures& feature : feature_measures(pentagon().view())) {
    EXPECT_NEAR(feature.interference_squared, 1.5, 1e-6);
    EXPECT_NEAR(feature.dimensionality.value(), 0.4, 1e-6);
  }
  const ModelMeasures model = dense(pentagon());
  EXPECT_NEAR(model.published, 2.5, 1e-6);
  EXPECT_NEAR(model.mean_dimensionality.value(), 0.4, 1e-6);
  EXPECT_EQ(model.n_represented, 5);
}

TEST(FeatureMeasures, OfAnIgnoredFeatureHaveNoDimensionality) {
  const std::vector<FeatureMeasures> features = feature_measures(kMixed.view());
  EXPECT_FALSE(features[2].dimensionality);
  EXPECT_EQ(features[2].interference, 0);
  EXPECT_EQ(features[2].score_with_self, 0);
  EXPECT_EQ(feature_class(features[2]), FeatureClass::kIgnored);
  EXPECT_EQ(feature_class(features[1]), FeatureClass::kIgnored);  // norm 0.4
  // The published rule has no norm test: it calls both of them monosemantic. Ours does not.
  EXPECT_TRUE(is_monosemantic_published(features[1]));
  EXPECT_TRUE(is_monosemantic_published(features[2]));
  EXPECT_FALSE(is_monosemantic(features[1], 1));
  EXPECT_TRUE(is_monosemantic(features[0], 1));
  const ModelMeasures model = dense(kMixed);
  EXPECT_EQ(model.n_monosemantic, 1);
  EXPECT_EQ(model.n_monosemantic_published, 3);
  EXPECT_EQ(model.n_without_dimensionality, 1);
}

TEST(FeatureMeasures, DimensionalityDoesNotChangeWithScaleAndInterferenceDoes) {
  Vectors w = pentagon();
  for (float& value : w.rows) value *= 3;
  const FeatureMeasures feature = feature_measures(w.view()).front();
  EXPECT_NEAR(feature.dimensionality.value(), 0.4, 1e-6);
  EXPECT_NEAR(feature.interference_squared, 9 * 1.5, 1e-5);
}

TEST(FeatureMeasures, SumOfDimensionalitiesIsTheNumberOfDimensionsOfATightFrame) {
  EXPECT_NEAR(expert_measures(pentagon().view(), {}).sum_dimensionality, 2, 1e-6);
  EXPECT_NEAR(expert_measures(kAntipodal.view(), {}).sum_dimensionality, 1, 1e-12);
}

TEST(GramMatrix, HoldsTheProductsOfRows) {
  const Vectors w{{2, 0, 1, 1}, 2, 2};  // (2, 0) and (1, 1)
  EXPECT_THAT(gram_matrix(w.view()), testing::ElementsAre(4, 2, 2, 2));
}

TEST(GramMatrix, AgreesWithTheMeasuresOfRandomVectors) {
  Random random(7);
  Vectors w{{}, 9, 4};
  for (int i = 0; i < 36; ++i) w.rows.push_back(static_cast<float>(random.uniform() - 0.5));
  const std::vector<double> gram = gram_matrix(w.view());
  const std::vector<FeatureMeasures> features = feature_measures(w.view());
  for (std::size_t i = 0; i < 9; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < 9; ++j) sum += j == i ? 0 : gram[i * 9 + j] * gram[i * 9 + j] / gram[i * 9 + i];
    EXPECT_NEAR(features[i].interference, std::sqrt(sum), 1e-12);
  }
}

// k = 2 of 2 experts, each with weight 1/2. `a` and `b` as they would be trained.
ModelMeasures pair_of_experts(const Vectors& a, const Vectors& b) {
  ExpertUse use;
  use.mean_gain = 0.5;
  use.gain.assign(static_cast<std::size_t>(a.n), 0.5);
  const std::vector<ExpertUse> uses = {use, use};
  const std::vector<ExpertMeasures> experts = {expert_measures(a.view(), uses[0]), expert_measures(b.view(), uses[1])};
  return model_measures(experts, uses, a.m, 2);
}

TEST(ModelMeasures, OneExpertCopiedTwiceCountsItsFeaturesOnce) {
  const Vectors w{{1, 0, 0, 1, 0, 0, 0, 0}, 4, 2};
  const ModelMeasures model = pair_of_experts(w, w);
  // Two features in four active dimensions.
  EXPECT_DOUBLE_EQ(model.published, 0.5);
  EXPECT_NEAR(model.gain_corrected, 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(model.represented, 1);  // the count sees each of them in both experts
  EXPECT_EQ(model.n_represented, 2);
  EXPECT_DOUBLE_EQ(model.per_total_dimension, 0.5);
  // P(e in K) = 1 for both: the global dimensionality sums over k experts.
  EXPECT_DOUBLE_EQ(model.global_dimensionality[0], 2);
}

TEST(ModelMeasures, GainTakesTheInflationOutOfNorms) {
  // Each expert alone puts back two features: with weight 1/2 that takes norm^2 = 2.
  const auto root2 = static_cast<float>(std::sqrt(2.0));
  const Vectors a{{root2, 0, 0, root2, 0, 0, 0, 0}, 4, 2}, b{{0, 0, 0, 0, root2, 0, 0, root2}, 4, 2};
  const ModelMeasures model = pair_of_experts(a, b);
  EXPECT_NEAR(model.published, 1, 1e-6);
  EXPECT_NEAR(model.gain_corrected, 1, 1e-6);
  EXPECT_EQ(model.n_represented, 4);
  EXPECT_EQ(model.n_monosemantic, 4);
  EXPECT_EQ(model.n_monosemantic_distinct, 4);
  ExpertUse use;
  use.gain.assign(4, 0.5);
  EXPECT_NEAR(expert_measures(a.view(), use).features[0].used.norm, 1, 1e-6);
  EXPECT_NEAR(expert_measures(a.view(), use).features[0].raw.norm, std::sqrt(2.0), 1e-6);
}

TEST(ModelMeasures, ADeadExpertHasAStatusAndChangesNoSum) {
  const std::vector<ExpertUse> alone(1);
  ExpertUse dead;
  dead.share = dead.share_of_nonzero = dead.mean_gain = 0;
  dead.gain.assign(5, kNaN);
  const Vectors w = pentagon();
  const std::vector<ExpertMeasures> both = {expert_measures(w.view(), {}), expert_measures(w.view(), dead)};
  EXPECT_EQ(both[1].status, ExpertStatus::kNeverUsed);
  EXPECT_STREQ(expert_status_word(both[1].status), "never_used");
  EXPECT_FALSE(both[1].gain_features_per_dim);
  EXPECT_FALSE(both[1].mean_dimensionality);
  EXPECT_FALSE(both[1].features[0].gain_norm_squared);
  EXPECT_FALSE(both[1].features[0].conditional_density);
  EXPECT_EQ(both[1].n_represented, 0);
  EXPECT_NEAR(both[1].features_per_dimension, 2.5, 1e-6);  // its weights still have a size
  const std::vector<ExpertUse> uses = {{}, dead};
  const ModelMeasures model = model_measures(both, uses, 2, 1), reference = dense(w);
  EXPECT_EQ(model.n_never_used, 1);
  EXPECT_DOUBLE_EQ(model.published, reference.published);
  EXPECT_DOUBLE_EQ(model.gain_corrected, reference.gain_corrected);
  EXPECT_DOUBLE_EQ(model.mean_dimensionality.value(), reference.mean_dimensionality.value());
  EXPECT_EQ(model.global_dimensionality, reference.global_dimensionality);
}

TEST(ModelMeasures, WithoutAnyUseHaveNoMean) {
  ExpertUse dead;
  dead.share = dead.share_of_nonzero = dead.mean_gain = 0;
  const std::vector<ExpertUse> uses = {dead};
  const std::vector<ExpertMeasures> experts = {expert_measures(kAntipodal.view(), dead)};
  const ModelMeasures model = model_measures(experts, uses, 1, 1);
  EXPECT_EQ(model.published, 0);
  EXPECT_FALSE(model.mean_dimensionality);
  EXPECT_THAT(model.global_dimensionality, Each(0.0));
}

TEST(ExpertMeasures, AreNotMonosemanticInAnExpertThatHardlyAnythingReaches) {
  ExpertUse rare;
  rare.share = 0.3;
  rare.share_of_nonzero = 0.01;  // not more than 1%
  const ExpertMeasures expert = expert_measures(kOrthonormal.view(), rare);
  EXPECT_EQ(expert.status, ExpertStatus::kRarelyUsed);
  EXPECT_EQ(expert.n_monosemantic, 0);
  EXPECT_EQ(expert.n_monosemantic_published, 3);
  EXPECT_EQ(expert.n_represented, 3);
}

TEST(ExpertMeasures, ConditionalDensityIsBayesRule) {
  ExpertUse use;
  use.share = 0.25;
  use.share_of_feature = {1, 0.25, kNaN};  // always here; no preference; never on
  const std::vector<double> density = {0.2, 0.1, 0};
  const ExpertMeasures expert = expert_measures(kOrthonormal.view(), use, density);
  EXPECT_DOUBLE_EQ(expert.features[0].conditional_density.value(), 0.8);
  EXPECT_DOUBLE_EQ(expert.features[1].conditional_density.value(), 0.1);
  EXPECT_FALSE(expert.features[2].conditional_density);
}

TEST(ModelMeasures, GlobalDimensionalityWeighsByTheFeaturesOwnInputs) {
  ExpertUse first, second;
  first.share = 0.8;
  second.share = 0.2;
  first.share_of_feature = {0.25, 1};
  second.share_of_feature = {0.75, 0};
  const Vectors pair = kAntipodal, single{{1, 0}, 2, 1};
  const std::vector<ExpertUse> uses = {first, second};
  const std::vector<ExpertMeasures> experts = {expert_measures(pair.view(), first),
                                               expert_measures(single.view(), second)};
  const ModelMeasures model = model_measures(experts, uses, 1, 1);
  EXPECT_DOUBLE_EQ(model.global_dimensionality[0], 0.25 * 0.5 + 0.75 * 1);
  EXPECT_DOUBLE_EQ(model.global_unconditional[0], 0.8 * 0.5 + 0.2 * 1);
  EXPECT_DOUBLE_EQ(model.represented, 0.8 * 2 + 0.2 * 1);
  EXPECT_EQ(model.n_without_dimensionality, 0);  // the zero row's feature never reaches that expert
}

TEST(Superposition, NamesWhatIsWrongWithItsInput) {
  const Vectors nan{{1, 0, std::numeric_limits<float>::quiet_NaN(), 1}, 2, 2};
  EXPECT_THAT([&] { feature_measures(nan.view()); }, ThrowsMessage<Error>(HasSubstr("weight [1, 0] is not finite")));
  const Vectors infinite{{1, std::numeric_limits<float>::infinity()}, 2, 1};
  EXPECT_THAT([&] { gram_matrix(infinite.view()); }, ThrowsMessage<Error>(HasSubstr("weight [1, 0]")));
  const std::vector<float> five(5, 1);
  EXPECT_THAT([&] { gram_matrix({five, 2, 2}); }, ThrowsMessage<Error>(HasSubstr("5 weights, expected 2 x 2")));
  EXPECT_THROW(feature_measures({{}, 0, 2}), Error);
  EXPECT_THROW(feature_measures({five, 5, 0}), Error);
  EXPECT_THROW(feature_measures({five, -5, -1}), Error);
  EXPECT_THROW(feature_measures({five, std::int64_t{1} << 62, 4}), Error);
  EXPECT_THAT([&] { feature_measures(kAntipodal.view(), std::vector<double>{0.1}); },
              ThrowsMessage<Error>(HasSubstr("densities of 1 features, expected 2")));
  EXPECT_THROW(feature_measures(kAntipodal.view(), std::vector<double>{0.1, 1.5}), Error);
  EXPECT_THROW(scale_by_gain(kAntipodal.view(), std::vector<double>{1, -1}), Error);
}

TEST(Superposition, RefusesUseThatDoesNotFit) {
  ExpertUse use;
  use.gain = {1, 1, 1};
  EXPECT_THAT([&] { expert_measures(kAntipodal.view(), use); },
              ThrowsMessage<Error>(HasSubstr("gains of 3 features, expected 2")));
  use = {};
  use.share = 1.2;
  EXPECT_THROW(expert_measures(kAntipodal.view(), use), Error);
  use = {};
  use.share_of_feature = {0.5, -0.5};
  EXPECT_THROW(expert_measures(kAntipodal.view(), use), Error);
  const std::vector<ExpertUse> uses(1), none;
  const std::vector<ExpertMeasures> experts = {expert_measures(kAntipodal.view(), {})};
  EXPECT_THROW(model_measures(experts, uses, 1, 0), Error);
  EXPECT_THROW(model_measures(experts, uses, 1, 2), Error);
  EXPECT_THROW(model_measures(experts, uses, 0, 1), Error);
  EXPECT_THROW(model_measures(experts, none, 1, 1), Error);
  EXPECT_THROW(model_measures({}, none, 1, 1), Error);
}

}  // namespace
}  // namespace moescope::stats
