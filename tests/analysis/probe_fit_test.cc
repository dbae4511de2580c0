#include <gtest/gtest.h>

#include <map>

#include "moescope/analysis/probe/fit.h"
#include "moescope/base/random.h"

namespace moescope::analysis::probe {
namespace {

constexpr std::int32_t kWidth = 12;
constexpr std::int32_t kPlanted = 7;  // the neuron that knows concept 0

// Two concepts over 300 documents of 8 tokens: concept 0 is in the neurons, concept 1 is not.
struct Planted {
  ProbeCorpus corpus;
  std::vector<float> neurons;      // [n, kWidth]
  std::vector<std::int32_t> rows;  // all tokens

  explicit Planted(int n_documents = 300) {
    Random random(8);
    corpus.samples.resize(2);
    corpus.shifted_samples.resize(2);
    for (std::int32_t document = 0; document < n_documents; ++document) {
      for (int t = 0; t < 8; ++t) {
        const auto token = static_cast<std::int64_t>(corpus.sampled_row.size());
        corpus.sampled_row.push_back(static_cast<std::int32_t>(corpus.n_sampled++));
        const auto label = static_cast<std::uint8_t>(t % 2);
        corpus.samples[0].push_back({token, document, label});
        corpus.samples[1].push_back({token, document, static_cast<std::uint8_t>(random.below(2))});
        corpus.shifted_samples[0].push_back({token, document, label});
        for (std::int32_t j = 0; j < kWidth; ++j) {
          const double noise = random.uniform() - 0.5;
          neurons.push_back(static_cast<float>(noise + (j == kPlanted && label != 0 ? 1.5 : 0)));
        }
        rows.push_back(static_cast<std::int32_t>(token));
      }
    }
  }
  ExpertNeurons expert() const { return {2, 5, false, false, kWidth, neurons, rows}; }
};

FitOptions options_with(std::vector<std::int32_t> ks) {
  FitOptions options;
  options.probe.widths = std::move(ks);
  return options;
}

using Key = std::tuple<Variant, std::int32_t, std::int32_t>;  // variant, concept, k
std::map<Key, ProbeRecord> by_key(const std::vector<ProbeRecord>& records) {
  std::map<Key, ProbeRecord> map;
  for (const ProbeRecord& record : records) map[{record.variant, record.concept_idx, record.result.k}] = record;
  return map;
}

TEST(ProbeFit, FindsAPlantedConceptAndNoOther) {
  const Planted planted;
  const ExpertFitter fitter(planted.corpus, options_with({1, 4, 16}));
  const std::vector<ProbeRecord> records = fitter.fit(planted.expert());
  EXPECT_EQ(records.size(), 6u * 2 * 3);  // six variants
  auto of = by_key(records);
  for (const Variant variant :
       {Variant::kMain, Variant::kSelect, Variant::kHalfA, Variant::kHalfB, Variant::kShifted}) {
    EXPECT_GT((of[{variant, 0, 1}].result.test.f1), 0.99) << variant_word(variant);
  }
  EXPECT_LT((of[{Variant::kShuffled, 0, 1}].result.test.f1), 0.75);
  EXPECT_LT((of[{Variant::kMain, 1, 4}].result.test.f1), 0.75);
  EXPECT_EQ((of[{Variant::kMain, 0, 16}].result.status), stats::ProbeStatus::kTooNarrow);
  EXPECT_EQ((of[{Variant::kShifted, 1, 1}].result.status), stats::ProbeStatus::kTooFew);
  EXPECT_TRUE((of[{Variant::kSelect, 0, 1}].has_validation));
  EXPECT_GT((of[{Variant::kSelect, 0, 1}].result.validation.f1), 0.99);
  EXPECT_FALSE((of[{Variant::kMain, 0, 1}].has_validation));
  EXPECT_EQ((of[{Variant::kMain, 0, 1}].layer), 2);
  EXPECT_EQ((of[{Variant::kMain, 0, 1}].expert), 5);
  EXPECT_EQ((of[{Variant::kMain, 0, 1}].n_positive), 1200);
  EXPECT_EQ((of[{Variant::kHalfA, 0, 1}].n_positive + of[{Variant::kHalfB, 0, 1}].n_positive), 1200);
}

TEST(ProbeFit, OnlyTokensOfTheExpertCount) {
  Planted planted;
  planted.rows.resize(160);
  planted.neurons.resize(160 * kWidth);
  FitOptions options = options_with({1});
  options.controls = false;
  const std::vector<ProbeRecord> records = ExpertFitter(planted.corpus, options).fit(planted.expert());
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].n_positive, 80);
  EXPECT_EQ(records[0].n_negative, 80);
  planted.rows.resize(80);
  planted.neurons.resize(80 * kWidth);
  EXPECT_EQ(ExpertFitter(planted.corpus, options).fit(planted.expert())[0].result.status, stats::ProbeStatus::kTooFew);
  planted.rows.clear();
  planted.neurons.clear();
  const ProbeRecord none = ExpertFitter(planted.corpus, options).fit(planted.expert())[0];
  EXPECT_EQ(none.n_positive, 0);
  EXPECT_EQ(none.result.status, stats::ProbeStatus::kTooFew);
}

TEST(ProbeFit, PublishedProtocolSplitsTokensAndTheDefaultDocuments) {
  // Each document has its own value of neuron 3, known from its other tokens: it helps only where documents are on both
  // sides of the split.
  Planted planted(120);
  for (std::size_t i = 0; i < planted.rows.size(); ++i) {
    SampleToken& item = planted.corpus.samples[1][i];
    const std::uint64_t secret = hash64(77, static_cast<std::uint64_t>(item.document));
    item.label = static_cast<std::uint8_t>(secret & 1);
    for (std::size_t j = 0; j < kWidth; ++j) {  // a code of the document, not of the label
      planted.neurons[i * kWidth + j] = static_cast<float>((secret >> (j + 1)) & 1) * (j % 2 == 0 ? 1.0F : 3.0F);
    }
  }
  FitOptions options = options_with({8});
  options.controls = false;
  const auto f1 = [&](bool published) {
    options.protocol = published ? Protocol::kPublished : Protocol::kByDocument;
    return ExpertFitter(planted.corpus, options).fit(planted.expert())[1].result.test.f1;
  };
  EXPECT_GT(f1(true), f1(false));
}

TEST(ProbeFit, DoesNotDependOnThreads) {
  const Planted planted;
  FitOptions options = options_with({1, 2, 8});
  options.protocol = Protocol::kPublished;
  options.n_threads = 1;
  const std::vector<ProbeRecord> one = ExpertFitter(planted.corpus, options).fit(planted.expert());
  options.n_threads = 4;
  const std::vector<ProbeRecord> four = ExpertFitter(planted.corpus, options).fit(planted.expert());
  ASSERT_EQ(one.size(), four.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].variant, four[i].variant);
    EXPECT_EQ(one[i].result.test.f1, four[i].result.test.f1);
    EXPECT_EQ(one[i].result.status, four[i].result.status);
  }
}

TEST(ProbeFit, MatchedSubsetsHaveTheWidthAskedForAndOnlySomeHoldTheNeuron) {
  const Planted planted;
  FitOptions options = options_with({1});
  options.matched = {3, 20, 1};
  ExpertNeurons layer = planted.expert();
  layer.is_dense = true;
  layer.expert = 0;
  int n_subsets = 0, n_found = 0;
  for (const ProbeRecord& record : ExpertFitter(planted.corpus, options).fit(layer)) {
    if (record.variant != Variant::kMatched || record.concept_idx != 0) continue;
    ++n_subsets;
    n_found += record.result.test.f1 > 0.99 ? 1 : 0;
    EXPECT_FALSE(record.is_dense);
  }
  EXPECT_EQ(n_subsets, 20);
  EXPECT_GT(n_found, 0);  // a subset of 3 of 12 holds the neuron with probability 1/4
  EXPECT_LT(n_found, 13);
  options.matched.token_frac = 0.1;
  for (const ProbeRecord& record : ExpertFitter(planted.corpus, options).fit(layer)) {
    if (record.variant == Variant::kMatched && record.concept_idx == 0) {
      EXPECT_NEAR(static_cast<double>(record.n_positive), 120, 60);
    }
  }
}

TEST(ProbeFit, CountsActiveNeurons) {
  const Planted planted;
  const std::vector<float> neurons = {10, 1.5, -0.5, 0, -4, 0.3, 0.5, 0};  // two tokens of four neurons
  const std::vector<std::int32_t> rows = {0, 1};
  const ExpertFitter fitter(planted.corpus, options_with({1}));
  EXPECT_DOUBLE_EQ(fitter.mean_active({0, 0, false, false, 4, neurons, rows}).value(), 2);  // {10, 1.5} and {-4, 0.5}
  EXPECT_FALSE(fitter.mean_active({0, 0, false, false, 4, {}, {}}));
}

}  // namespace
}  // namespace moescope::analysis::probe
