// input_tokens.safetensors, coactivation.safetensors, evidence.safetensors.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "moescope/base/error.h"
#include "moescope/io/safetensors.h"
#include "moescope/report/run/run_files.h"

namespace moescope::report {

namespace {

using io::SafetensorsFile;
using io::TensorView;
using Shape = std::vector<std::int64_t>;

Error tensor_error(const SafetensorsFile& file, const std::string& tensor, const std::string& what) {
  return input_error("tensor {}: {}", tensor, what).at(file.path().string());
}

// A tensor of known rank; -1 in `expected` takes any size.
template <typename T>
std::vector<T> read_tensor(const SafetensorsFile& file, const std::string& name, const Shape& expected) {
  const TensorView& tensor = file.at(name);
  bool matches = tensor.shape.size() == expected.size();
  for (std::size_t i = 0; matches && i < expected.size(); ++i) {
    matches = expected[i] < 0 || expected[i] == tensor.shape[i];
  }
  if (!matches) {
    throw tensor_error(
        file, name,
        fmt::format("shape [{}], expected [{}] (-1: any)", fmt::join(tensor.shape, ", "), fmt::join(expected, ", ")));
  }
  return tensor.to_vector<T>();
}

template <typename T>
void check_range(const SafetensorsFile& file, const std::string& name, const std::vector<T>& values, T low, T high) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= low && values[i] <= high) continue;  // false for NaN
    throw tensor_error(file, name, fmt::format("element {} is {}, expected {} to {}", i, values[i], low, high));
  }
}

// A token id that is not in vocabulary.json means that the files come from two runs.
void check_tokens(const SafetensorsFile& file, const std::string& name, const std::vector<std::int32_t>& ids,
                  const ReportedRun& data, std::int32_t low) {
  check_range(file, name, ids, low, static_cast<std::int32_t>(data.pieces.size()) - 1);
}

void check_windows(const SafetensorsFile& file, const ReportedEvidence& evidence, const ReportedRun& data) {
  const auto n_positions = static_cast<std::size_t>(evidence.n_positions);
  check_range(file, "kind", evidence.kind, 0, 1);
  check_range(file, "decile", evidence.decile, -1, 9);
  check_range(file, "doc_idx", evidence.doc_idx, 0, INT32_MAX);
  check_range(file, "position", evidence.position, 0, INT32_MAX);
  check_range(file, "length", evidence.length, 1, static_cast<std::int32_t>(evidence.n_positions));
  check_range(file, "strength", evidence.strength, 0.0f, HUGE_VALF);
  check_range(file, "scores", evidence.scores, 0.0f, HUGE_VALF);
  check_tokens(file, "token_ids", evidence.token_ids, data, -1);
  check_tokens(file, "promoted", evidence.promoted, data, -1);
  const auto n_strongest = static_cast<std::size_t>(evidence.n_strongest);
  for (std::size_t w = 0; w < evidence.length.size(); ++w) {
    const auto length = static_cast<std::size_t>(evidence.length[w]);
    for (std::size_t t = 0; t < length; ++t) {
      if (evidence.token_ids[w * n_positions + t] >= 0) continue;
      throw tensor_error(file, "token_ids", fmt::format("window {} has length {} but no token at {}", w, length, t));
    }
    for (std::size_t i = 0; i < n_strongest; ++i) {
      const std::int32_t at = evidence.strongest[w * n_strongest + i];
      if (at >= -1 && at < evidence.length[w]) continue;
      throw tensor_error(file, "strongest", fmt::format("window {} names token {} of {}", w, at, length));
    }
  }
}

}  // namespace

void read_input_tokens(ReportedRun& data) {
  const SafetensorsFile file = SafetensorsFile::open(data.folder / "input_tokens.safetensors");
  data.input_tokens.assign(data.n_all_experts(), {});
  for (int layer = 0; layer < data.n_layers; ++layer) {
    const std::string prefix = fmt::format("layers.{}.", layer);
    if (!file.contains(prefix + "count")) continue;
    const auto counts = read_tensor<std::int64_t>(file, prefix + "count", {-1});
    const Shape nnz = {static_cast<std::int64_t>(counts.size())};
    const auto experts = read_tensor<std::int32_t>(file, prefix + "expert", nnz);
    const auto tokens = read_tensor<std::int32_t>(file, prefix + "token_id", nnz);
    check_range<std::int32_t>(file, prefix + "expert", experts, 0, data.n_columns() - 1);
    check_tokens(file, prefix + "token_id", tokens, data, 0);
    check_range<std::int64_t>(file, prefix + "count", counts, 0, INT64_MAX);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] > 0) data.input_tokens[data.expert_idx(layer, experts[i])].push_back({tokens[i], counts[i]});
    }
  }
  for (auto& list : data.input_tokens) {
    std::sort(list.begin(), list.end(), [](const TokenTally& a, const TokenTally& b) {
      return a.n != b.n ? a.n > b.n : a.token_id < b.token_id;
    });
  }
}

void read_coactivation(ReportedRun& data) {
  const SafetensorsFile file = SafetensorsFile::open(data.folder / "coactivation.safetensors");
  data.coactivation.assign(static_cast<std::size_t>(data.n_layers), {});
  const auto n = static_cast<std::size_t>(data.n_experts);
  for (int layer = 0; layer < data.n_layers; ++layer) {
    const std::string name = fmt::format("layers.{}.coactivation", layer);
    if (!file.contains(name)) continue;
    auto counts = read_tensor<std::int64_t>(file, name, {data.n_experts, data.n_experts});
    check_range<std::int64_t>(file, name, counts, 0, INT64_MAX);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (counts[i * n + j] == counts[j * n + i]) continue;
        throw tensor_error(file, name, fmt::format("not symmetric at [{}, {}]", i, j));
      }
    }
    data.coactivation[static_cast<std::size_t>(layer)] = std::move(counts);
  }
}

void read_evidence(ReportedRun& data) {
  const SafetensorsFile file = SafetensorsFile::open(data.folder / "evidence.safetensors");
  ReportedEvidence evidence;
  const auto layer = read_tensor<std::int32_t>(file, "layer", {-1});
  const auto n = static_cast<std::int64_t>(layer.size());
  evidence.n_windows = n;
  const auto expert = read_tensor<std::int32_t>(file, "expert", {n});
  evidence.kind = read_tensor<std::int32_t>(file, "kind", {n});
  evidence.decile = read_tensor<std::int32_t>(file, "decile", {n});
  evidence.doc_idx = read_tensor<std::int32_t>(file, "doc_idx", {n});
  evidence.position = read_tensor<std::int32_t>(file, "position", {n});
  evidence.length = read_tensor<std::int32_t>(file, "length", {n});
  evidence.strength = read_tensor<float>(file, "strength", {n});
  evidence.token_ids = read_tensor<std::int32_t>(file, "token_ids", {n, -1});
  evidence.n_positions = file.at("token_ids").shape[1];
  evidence.scores = read_tensor<float>(file, "scores", {n, evidence.n_positions});
  evidence.strongest = read_tensor<std::int32_t>(file, "strongest", {n, -1});
  evidence.n_strongest = file.at("strongest").shape[1];
  evidence.promoted = read_tensor<std::int32_t>(file, "promoted", {n, evidence.n_strongest, -1});
  evidence.n_promoted = file.at("promoted").shape[2];
  check_range<std::int32_t>(file, "layer", layer, 0, data.n_layers - 1);
  check_range<std::int32_t>(file, "expert", expert, 0, data.n_columns() - 1);
  check_windows(file, evidence, data);
  evidence.rows.assign(data.n_all_experts(), {});
  for (std::size_t w = 0; w < layer.size(); ++w) {
    evidence.rows[data.expert_idx(layer[w], expert[w])].push_back(static_cast<std::int64_t>(w));
  }
  data.evidence = std::move(evidence);
}

}  // namespace moescope::report
