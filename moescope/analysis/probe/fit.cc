#include "moescope/analysis/probe/fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moescope/base/error.h"
#include "moescope/base/parallel.h"
#include "moescope/base/random.h"

namespace moescope::analysis::probe {

namespace {

constexpr std::uint64_t kStratify = 31, kPermute = 32, kSubset = 33, kSubsetToken = 34;
constexpr double kMainTrain = 0.75, kSelectTrain = 0.6, kSelectValidation = 0.2;

std::uint64_t key_of(const ExpertNeurons& expert) {
  return static_cast<std::uint64_t>(expert.layer) << 32 | static_cast<std::uint64_t>(expert.expert);
}

template <typename T>
void shuffle(std::vector<T>& list, Random& random) {
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
}

// Three quarters of each class to the train part, at random.
void stratify(std::vector<stats::ProbeItem>& items, std::uint64_t seed) {
  Random random(seed);
  for (const std::uint8_t label : {std::uint8_t{0}, std::uint8_t{1}}) {
    std::vector<std::size_t> of_class;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].label == label) of_class.push_back(i);
    }
    shuffle(of_class, random);
    const auto n_train = static_cast<std::size_t>(std::llround(kMainTrain * static_cast<double>(of_class.size())));
    for (std::size_t i = 0; i < of_class.size(); ++i) {
      items[of_class[i]].part = i < n_train ? stats::SamplePart::kTrain : stats::SamplePart::kTest;
    }
  }
}

void permute_labels(std::vector<stats::ProbeItem>& items, std::uint64_t seed) {
  std::vector<std::uint8_t> labels;
  for (const stats::ProbeItem& item : items) labels.push_back(item.label);
  Random random(seed);
  shuffle(labels, random);
  for (std::size_t i = 0; i < items.size(); ++i) items[i].label = labels[i];
}

}  // namespace

const char* variant_word(Variant variant) {
  switch (variant) {
    case Variant::kMain: return "main";
    case Variant::kSelect: return "select";
    case Variant::kShuffled: return "shuffled";
    case Variant::kHalfA: return "half_a";
    case Variant::kHalfB: return "half_b";
    case Variant::kShifted: return "shifted";
    case Variant::kMatched: return "matched";
  }
  return "";
}

ExpertFitter::ExpertFitter(const ProbeCorpus& corpus, const FitOptions& options) : corpus_(corpus), options_(options) {
  add_samples(Variant::kMain, corpus.samples, kMainTrain, 0, -1);
  if (options.controls) {
    add_samples(Variant::kSelect, corpus.samples, kSelectTrain, kSelectValidation, -1);
    add_samples(Variant::kShuffled, corpus.samples, kMainTrain, 0, -1);
    add_samples(Variant::kHalfA, corpus.samples, kMainTrain, 0, 0);
    add_samples(Variant::kHalfB, corpus.samples, kMainTrain, 0, 1);
    const bool has_shifted = std::any_of(corpus.shifted_samples.begin(), corpus.shifted_samples.end(),
                                         [](const auto& sample) { return !sample.empty(); });
    if (has_shifted) add_samples(Variant::kShifted, corpus.shifted_samples, kMainTrain, 0, -1);
  }
}

void ExpertFitter::add_samples(Variant variant, const std::vector<std::vector<SampleToken>>& samples, double train,
                               double validation, int half) {
  auto& of_variant = items_[static_cast<std::size_t>(variant)];
  for (std::size_t c = 0; c < samples.size(); ++c) {
    std::vector<SampleToken> sample = samples[c];
    if (half >= 0) {
      const std::vector<std::uint8_t> halves = halves_by_document(sample, options_.seed);
      std::vector<SampleToken> kept;
      for (std::size_t i = 0; i < sample.size(); ++i) {
        if (halves[i] == half) kept.push_back(sample[i]);
      }
      sample = std::move(kept);
    }
    const std::vector<std::uint8_t> parts = split_by_document(sample, train, validation, hash64(options_.seed, c));
    std::vector<Item> items;
    for (std::size_t i = 0; i < sample.size(); ++i) {
      items.push_back({corpus_.sampled_row[static_cast<std::size_t>(sample[i].token_idx)], sample[i].label,
                       static_cast<stats::SamplePart>(parts[i])});
    }
    of_variant.push_back(std::move(items));
    jobs_.push_back({variant, static_cast<std::int32_t>(c)});
  }
}

std::vector<std::int32_t> ExpertFitter::local_rows(const ExpertNeurons& expert) const {
  MOESCOPE_ASSERT(expert.neurons.size() == expert.rows.size() * static_cast<std::size_t>(expert.width));
  std::vector<std::int32_t> local(static_cast<std::size_t>(corpus_.n_sampled), -1);
  for (std::size_t i = 0; i < expert.rows.size(); ++i) {
    local[static_cast<std::size_t>(expert.rows[i])] = static_cast<std::int32_t>(i);
  }
  return local;
}

std::vector<stats::ProbeItem> ExpertFitter::items_of(const ExpertNeurons& expert, const Job& job,
                                                     const std::vector<std::int32_t>& local) const {
  std::vector<stats::ProbeItem> items;
  for (const Item& item : items_[static_cast<std::size_t>(job.variant)][static_cast<std::size_t>(job.concept_idx)]) {
    const std::int32_t row = local[static_cast<std::size_t>(item.row)];
    if (row >= 0) items.push_back({row, item.label, item.part});
  }
  const auto concept_key = static_cast<std::uint64_t>(job.concept_idx);
  if (options_.protocol == Protocol::kPublished && job.variant != Variant::kSelect) {
    stratify(items, hash64(options_.seed, kStratify, key_of(expert), concept_key));
  }
  if (job.variant == Variant::kShuffled) {
    permute_labels(items, hash64(options_.seed, kPermute, key_of(expert), concept_key));
  }
  return items;
}

std::vector<ProbeRecord> ExpertFitter::fit_job(const ExpertNeurons& expert, const Job& job,
                                               const std::vector<std::int32_t>& local) const {
  stats::SparseProbeOptions probe = options_.probe;
  probe.score_validation = job.variant == Variant::kSelect;
  const stats::ProbeResult result =
      stats::fit_sparse_probe(expert.neurons, expert.width, items_of(expert, job, local), probe);
  std::vector<ProbeRecord> records;
  for (const stats::WidthResult& one : result.widths) {
    records.push_back({job.variant, job.concept_idx, expert.layer, expert.expert, expert.is_dense, expert.is_shared,
                       result.n_positive, result.n_negative, one, probe.score_validation});
  }
  return records;
}

void ExpertFitter::fit_matched(const ExpertNeurons& layer, const std::vector<std::int32_t>& local,
                               std::vector<ProbeRecord>& records) const {
  const MatchedOptions& matched = options_.matched;
  const auto n_rows = layer.rows.size(), width = static_cast<std::size_t>(std::min(matched.width, layer.width));
  const std::size_t n_concepts = corpus_.samples.size();
  for (std::int64_t s = 0; s < matched.n_subsets; ++s) {
    ExpertNeurons subset = layer;
    subset.expert = s;
    subset.width = static_cast<std::int32_t>(width);
    std::vector<std::int32_t> order(static_cast<std::size_t>(layer.width));
    std::iota(order.begin(), order.end(), 0);
    Random random(hash64(options_.seed, kSubset, key_of(subset)));
    shuffle(order, random);
    std::vector<float> neurons(n_rows * width);
    for (std::size_t i = 0; i < n_rows; ++i) {
      const float* row = layer.neurons.data() + i * order.size();
      for (std::size_t j = 0; j < width; ++j) neurons[i * width + j] = row[order[j]];
    }
    subset.neurons = neurons;
    std::vector<std::int32_t> seen = local;
    for (std::size_t row = 0; row < seen.size() && matched.token_frac < 1; ++row) {
      Random draw(hash64(options_.seed, kSubsetToken, key_of(subset), row));
      if (draw.uniform() >= matched.token_frac) seen[row] = -1;
    }
    std::vector<std::vector<ProbeRecord>> by_concept(n_concepts);
    parallel_for(n_concepts, options_.n_threads, [&](std::size_t c) {
      by_concept[c] = fit_job(subset, {Variant::kMain, static_cast<std::int32_t>(c)}, seen);
    });
    for (auto& of_concept : by_concept) {
      for (ProbeRecord& record : of_concept) {
        record.variant = Variant::kMatched;
        record.is_dense = false;
        records.push_back(record);
      }
    }
  }
}

std::vector<ProbeRecord> ExpertFitter::fit(const ExpertNeurons& expert) const {
  const std::vector<std::int32_t> local = local_rows(expert);
  std::vector<std::vector<ProbeRecord>> by_job(jobs_.size());
  parallel_for(jobs_.size(), options_.n_threads, [&](std::size_t j) { by_job[j] = fit_job(expert, jobs_[j], local); });
  std::vector<ProbeRecord> records;
  for (const auto& of_job : by_job) records.insert(records.end(), of_job.begin(), of_job.end());
  if (expert.is_dense && options_.controls && options_.matched.width > 0) fit_matched(expert, local, records);
  return records;
}

std::optional<double> ExpertFitter::mean_active(const ExpertNeurons& expert) const {
  if (expert.rows.empty()) return std::nullopt;
  const auto width = static_cast<std::size_t>(expert.width);
  std::int64_t n_active = 0;
  for (std::size_t i = 0; i < expert.rows.size(); ++i) {
    const std::span<const float> row = expert.neurons.subspan(i * width, width);
    float largest = 0;
    for (const float a : row) largest = std::max(largest, std::abs(a));
    const auto bound = static_cast<float>(options_.active_frac) * largest;
    for (const float a : row) n_active += std::abs(a) > bound ? 1 : 0;
  }
  return static_cast<double>(n_active) / static_cast<double>(expert.rows.size());
}

}  // namespace moescope::analysis::probe
