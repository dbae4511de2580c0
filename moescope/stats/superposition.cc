#include "moescope/stats/superposition.h"

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"

namespace moescope::stats {

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

void check(const FeatureMatrix& w) {
  if (w.n_features <= 0 || w.n_dims <= 0) {
    throw input_error("feature vectors of shape [{}, {}], expected at least one of each", w.n_features, w.n_dims);
  }
  if (w.rows.size() % index(w.n_features) != 0 || w.rows.size() / index(w.n_features) != index(w.n_dims)) {
    throw input_error("{} weights, expected {} x {}", w.rows.size(), w.n_features, w.n_dims);
  }
  for (std::size_t at = 0; at < w.rows.size(); ++at) {
    if (!std::isfinite(w.rows[at])) {
      throw input_error("weight [{}, {}] is not finite", at / index(w.n_dims), at % index(w.n_dims));
    }
  }
}

void check_size(const char* what, std::size_t size, std::int64_t n_features, bool may_be_empty) {
  if (size == index(n_features) || (may_be_empty && size == 0)) return;
  throw input_error("{} of {} features, expected {}", what, size, n_features);
}

void check_share(const char* what, double share) {
  if (!(share >= 0 && share <= 1)) throw input_error("{} is {}, expected a number in [0, 1]", what, share);
}

double dot(const FeatureMatrix& w, std::int64_t i, std::int64_t j) {
  const std::span<const float> a = w.rows.subspan(index(i * w.n_dims), index(w.n_dims));
  const std::span<const float> b = w.rows.subspan(index(j * w.n_dims), index(w.n_dims));
  double sum = 0;
  for (std::size_t d = 0; d < a.size(); ++d) sum += static_cast<double>(a[d]) * static_cast<double>(b[d]);
  return sum;
}

FeatureMeasures measures_of_row(const FeatureMatrix& w, std::int64_t i, std::span<const double> density) {
  FeatureMeasures result;
  const double squared = dot(w, i, i);
  result.norm = std::sqrt(squared);
  if (result.norm <= kZeroNorm) return result;
  double sum = 0, net = 0;
  for (std::int64_t j = 0; j < w.n_features; ++j) {
    if (j == i) continue;
    const double product = dot(w, i, j);
    const double term = product * product / squared;
    sum += term;
    if (!density.empty()) net += density[index(j)] * term;
  }
  result.interference_squared = sum;
  result.interference = std::sqrt(sum);
  result.score_with_self = squared + sum;
  result.net_interference = net;
  result.dimensionality = squared / (squared + sum);
  return result;
}

std::vector<FeatureMeasures> measures_of_rows(const FeatureMatrix& w, std::span<const double> density) {
  std::vector<FeatureMeasures> result;
  result.reserve(index(w.n_features));
  for (std::int64_t i = 0; i < w.n_features; ++i) result.push_back(measures_of_row(w, i, density));
  return result;
}

void check_use(const ExpertUse& use, std::int64_t n_features) {
  check_share("the share of inputs that reach an expert", use.share);
  check_share("the share of non-zero inputs that reach an expert", use.share_of_nonzero);
  if (!(use.mean_gain >= 0)) throw input_error("the mean gain of an expert is {}, expected at least 0", use.mean_gain);
  check_size("gains", use.gain.size(), n_features, true);
  check_size("shares", use.share_of_feature.size(), n_features, true);
  for (const double share : use.share_of_feature) {
    if (!std::isnan(share)) check_share("the share of a feature's inputs that reach an expert", share);
  }
}

ExpertStatus status_of(const ExpertUse& use) {
  if (use.share == 0) return ExpertStatus::kNeverUsed;
  return use.share_of_nonzero > kLeastUsage ? ExpertStatus::kOk : ExpertStatus::kRarelyUsed;
}

double feature_share(const ExpertUse& use, std::size_t i) {
  return use.share_of_feature.empty() ? use.share : use.share_of_feature[i];
}

// What the use of an expert says about one of its features. result.raw and result.used are set.
void judge(ExpertFeature& feature, const ExpertUse& use, std::size_t i, std::span<const double> density) {
  const double gain = use.gain.empty() ? 1 : use.gain[i];
  feature.is_monosemantic_published = is_monosemantic_published(feature.raw);
  const double alpha = feature_share(use, i);
  if (use.share > 0 && !std::isnan(alpha)) {
    feature.conditional_density = std::min(1.0, alpha * (density.empty() ? 1 : density[i]) / use.share);
  }
  if (use.share == 0 || std::isnan(gain)) return;
  feature.gain_norm_squared = feature.raw.norm * feature.raw.norm * gain;
  feature.is_represented = *feature.gain_norm_squared > kRepresentedNorm * kRepresentedNorm;
  feature.is_monosemantic = is_monosemantic(feature.used, use.share_of_nonzero);
  feature.feature_class = feature_class(feature.used);
}

void add_up(ExpertMeasures& expert, std::int64_t n_dims) {
  double squares = 0, gained = 0, dimensionality = 0;
  for (const ExpertFeature& feature : expert.features) {
    squares += feature.raw.norm * feature.raw.norm;
    gained += feature.gain_norm_squared.value_or(0);
    expert.sum_dimensionality += feature.raw.dimensionality.value_or(0);
    if (feature.is_represented) dimensionality += feature.raw.dimensionality.value_or(0);
    expert.n_represented += feature.is_represented ? 1 : 0;
    expert.n_monosemantic += feature.is_monosemantic ? 1 : 0;
    expert.n_monosemantic_published += feature.is_monosemantic_published ? 1 : 0;
  }
  expert.features_per_dimension = squares / static_cast<double>(n_dims);
  if (expert.status != ExpertStatus::kNeverUsed) expert.gain_features_per_dim = gained / static_cast<double>(n_dims);
  if (expert.n_represented > 0) {
    expert.mean_dimensionality = dimensionality / static_cast<double>(expert.n_represented);
  }
}

void check_model(std::span<const ExpertMeasures> experts, std::span<const ExpertUse> uses, std::int64_t n_dims,
                 std::int64_t n_active) {
  const auto n_experts = static_cast<std::int64_t>(experts.size());
  if (experts.empty() || experts.size() != uses.size()) {
    throw input_error("measures of {} experts and the use of {}, expected as many and at least one", experts.size(),
                      uses.size());
  }
  if (n_active < 1 || n_active > n_experts) {
    throw input_error("{} active experts of {}, expected 1 to {}", n_active, n_experts, n_experts);
  }
  if (n_dims < 1) throw input_error("{} dimensions in an expert, expected at least 1", n_dims);
  for (std::size_t e = 0; e < experts.size(); ++e) {
    const std::size_t n = experts.front().features.size();
    if (experts[e].features.size() != n) {
      throw input_error("expert {} has {} features, expert 0 has {}", e, experts[e].features.size(), n);
    }
    check_use(uses[e], static_cast<std::int64_t>(n));
  }
}

void add_global_dimensionality(ModelMeasures& model, std::span<const ExpertMeasures> experts,
                               std::span<const ExpertUse> uses) {
  const std::size_t n = experts.front().features.size();
  model.global_dimensionality.assign(n, 0);
  model.global_unconditional.assign(n, 0);
  for (std::size_t e = 0; e < experts.size(); ++e) {
    for (std::size_t i = 0; i < n; ++i) {
      const double alpha = std::isnan(feature_share(uses[e], i)) ? 0 : feature_share(uses[e], i);
      const std::optional<double>& dimensionality = experts[e].features[i].raw.dimensionality;
      if (!dimensionality && alpha > 0) ++model.n_without_dimensionality;
      model.global_dimensionality[i] += alpha * dimensionality.value_or(0);
      model.global_unconditional[i] += uses[e].share * dimensionality.value_or(0);
    }
  }
}

void count_features(ModelMeasures& model, std::span<const ExpertMeasures> experts) {
  for (std::size_t i = 0; i < experts.front().features.size(); ++i) {
    bool represented = false, monosemantic = false;
    for (const ExpertMeasures& expert : experts) {
      represented = represented || expert.features[i].is_represented;
      monosemantic = monosemantic || expert.features[i].is_monosemantic;
    }
    model.n_represented += represented ? 1 : 0;
    model.n_monosemantic_distinct += monosemantic ? 1 : 0;
  }
}

}  // namespace

std::vector<FeatureMeasures> feature_measures(const FeatureMatrix& w, std::span<const double> density) {
  check(w);
  check_size("densities", density.size(), w.n_features, true);
  for (const double p : density) check_share("the density of a feature", p);
  return measures_of_rows(w, density);
}

std::vector<double> gram_matrix(const FeatureMatrix& w) {
  check(w);
  const std::int64_t n = w.n_features;
  std::vector<double> gram(index(n * n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = i; j < n; ++j) gram[index(i * n + j)] = gram[index(j * n + i)] = dot(w, i, j);
  }
  return gram;
}

std::vector<float> scale_by_gain(const FeatureMatrix& w, std::span<const double> gain) {
  check(w);
  check_size("gains", gain.size(), w.n_features, false);
  std::vector<float> rows(w.rows.begin(), w.rows.end());
  for (std::size_t i = 0; i < gain.size(); ++i) {
    if (gain[i] < 0 || std::isinf(gain[i])) throw input_error("the gain of feature {} is {}", i, gain[i]);
    const double scale = std::isnan(gain[i]) ? 0 : std::sqrt(gain[i]);
    for (std::size_t d = 0; d < index(w.n_dims); ++d) {
      float& value = rows[i * index(w.n_dims) + d];
      value = static_cast<float>(static_cast<double>(value) * scale);
    }
  }
  return rows;
}

FeatureClass feature_class(const FeatureMeasures& used) {
  if (used.norm < kRepresentedNorm) return FeatureClass::kIgnored;
  return used.interference_squared < kSuperposedInterference2 ? FeatureClass::kMonosemantic : FeatureClass::kSuperposed;
}

const char* feature_class_word(FeatureClass feature_class) {
  switch (feature_class) {
    case FeatureClass::kIgnored: return "ignored";
    case FeatureClass::kMonosemantic: return "monosemantic";
    case FeatureClass::kSuperposed: return "superposed";
  }
  return "";
}

const char* expert_status_word(ExpertStatus status) {
  switch (status) {
    case ExpertStatus::kOk: return "ok";
    case ExpertStatus::kRarelyUsed: return "rarely_used";
    case ExpertStatus::kNeverUsed: return "never_used";
  }
  return "";
}

bool is_monosemantic_published(const FeatureMeasures& raw) { return raw.interference < kMonosemanticBound; }

bool is_monosemantic(const FeatureMeasures& used, double usage_of_nonzero_inputs) {
  return used.norm > kRepresentedNorm && used.interference < kMonosemanticBound &&
         usage_of_nonzero_inputs > kLeastUsage;
}

ExpertMeasures expert_measures(const FeatureMatrix& w, const ExpertUse& use, std::span<const double> density) {
  const std::vector<FeatureMeasures> raw = feature_measures(w, density);
  check_use(use, w.n_features);
  std::vector<FeatureMeasures> used = raw;
  if (!use.gain.empty()) {
    const std::vector<float> rows = scale_by_gain(w, use.gain);
    used = measures_of_rows({rows, w.n_features, w.n_dims}, density);
  }
  ExpertMeasures expert;
  expert.status = status_of(use);
  expert.features.resize(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    expert.features[i].raw = raw[i];
    if (expert.status != ExpertStatus::kNeverUsed) expert.features[i].used = used[i];
    judge(expert.features[i], use, i, density);
  }
  add_up(expert, w.n_dims);
  return expert;
}

ModelMeasures model_measures(std::span<const ExpertMeasures> experts, std::span<const ExpertUse> uses,
                             std::int64_t n_dims, std::int64_t n_active) {
  check_model(experts, uses, n_dims, n_active);
  const auto n_experts = static_cast<double>(experts.size());
  const auto m = static_cast<double>(n_dims);
  ModelMeasures model;
  double total_share = 0, dimensionality = 0, represented = 0;
  for (const ExpertUse& use : uses) total_share += use.share;
  for (std::size_t e = 0; e < experts.size(); ++e) {
    const ExpertMeasures& expert = experts[e];
    const double weight = total_share > 0 ? uses[e].share / total_share : 0;
    model.published += uses[e].mean_gain * expert.features_per_dimension / static_cast<double>(n_active);
    model.gain_corrected += weight * expert.gain_features_per_dim.value_or(0);
    represented += weight * static_cast<double>(expert.n_represented);
    dimensionality += weight * static_cast<double>(expert.n_represented) * expert.mean_dimensionality.value_or(0);
    model.n_never_used += expert.status == ExpertStatus::kNeverUsed ? 1 : 0;
    model.n_rarely_used += expert.status == ExpertStatus::kRarelyUsed ? 1 : 0;
    model.n_monosemantic += expert.n_monosemantic;
    model.n_monosemantic_published += expert.n_monosemantic_published;
  }
  model.represented = represented / m;
  if (represented > 0) model.mean_dimensionality = dimensionality / represented;
  count_features(model, experts);
  model.per_total_dimension = static_cast<double>(model.n_represented) / (n_experts * m);
  add_global_dimensionality(model, experts, uses);
  return model;
}

}  // namespace moescope::stats
