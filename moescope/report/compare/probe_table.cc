#include "moescope/report/compare/probe_table.h"

#include <algorithm>
#include <set>

#include "moescope/base/error.h"

namespace moescope::report {

namespace {

template <typename T>
std::size_t place_of(const std::vector<T>& sorted, const T& value) {
  return static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin());
}

template <typename Set>
auto as_vector(const Set& set) {
  return std::vector<typename Set::value_type>(set.begin(), set.end());
}

// The rows of shared experts, or all others.
std::vector<run::ProbeControlRow> read_rows(const std::filesystem::path& path, bool shared) {
  std::vector<run::ProbeControlRow> rows;
  for (run::ProbeRow& row : run::read_probes(path)) {
    if ((row.kind == run::kShared) == shared) rows.push_back({"main", std::move(row), std::nullopt});
  }
  return rows;
}

ProbeTable make_table_of(const std::filesystem::path& path, const std::vector<run::ProbeControlRow>& rows) {
  try {
    return make_probe_table(rows);
  } catch (const Error& error) {
    throw error.at(path.string());
  }
}

}  // namespace

std::optional<std::size_t> ProbeTable::concept_idx(const std::string& name) const {
  const std::size_t idx = place_of(concepts, name);
  if (idx == concepts.size() || concepts[idx] != name) return std::nullopt;
  return idx;
}

ProbeTable make_probe_table(const std::vector<run::ProbeControlRow>& rows) {
  if (rows.empty()) throw input_error("holds no probes");
  std::set<std::string> concepts;
  std::set<std::int32_t> ks;
  std::map<std::int64_t, std::set<std::int64_t>> experts;
  ProbeTable table;
  table.is_dense = true;
  for (const run::ProbeControlRow& each : rows) {
    const run::ProbeRow& row = each.probe;
    concepts.insert(row.concept_name);
    ks.insert(static_cast<std::int32_t>(row.k));
    experts[row.layer].insert(row.expert);
    table.is_dense = table.is_dense && row.kind == run::kDense;
  }
  table.concepts = as_vector(concepts);
  table.ks = as_vector(ks);
  for (const auto& [layer, of_layer] : experts) {
    table.layers.push_back(layer);
    table.n_experts.push_back(static_cast<std::int64_t>(of_layer.size()));
  }
  table.scores.assign(table.concepts.size(),
                      std::vector<LayerScores>(table.ks.size(), LayerScores(table.layers.size())));
  std::set<std::tuple<std::size_t, std::size_t, std::size_t, std::int64_t>> seen;
  for (const run::ProbeControlRow& each : rows) {
    const run::ProbeRow& row = each.probe;
    const std::size_t c = place_of(table.concepts, row.concept_name);
    const std::size_t k = place_of(table.ks, static_cast<std::int32_t>(row.k));
    const std::size_t layer = place_of(table.layers, row.layer);
    if (!seen.insert({c, k, layer, row.expert}).second) {
      throw input_error("concept '{}', layer {}, expert {}, k {} is there twice", row.concept_name, row.layer,
                        row.expert, row.k);
    }
    ++table.n_rows;
    if (!row.f1) {
      ++table.n_missing;
      continue;
    }
    table.scores[c][k][layer].push_back({static_cast<std::int32_t>(row.expert), *row.f1, each.validation_f1});
  }
  for (auto& of_concept : table.scores) {
    for (LayerScores& of_k : of_concept) {
      for (auto& of_layer : of_k) {
        std::sort(of_layer.begin(), of_layer.end(),
                  [](const ProbeScore& a, const ProbeScore& b) { return a.expert < b.expert; });
      }
    }
  }
  return table;
}

ProbeTable read_probe_csv(const std::filesystem::path& path) { return make_table_of(path, read_rows(path, false)); }

std::optional<ProbeTable> read_shared_probes(const std::filesystem::path& path) {
  const std::vector<run::ProbeControlRow> rows = read_rows(path, true);
  if (rows.empty()) return std::nullopt;
  return make_table_of(path, rows);
}

std::map<std::string, ProbeTable> read_probe_controls(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  std::map<std::string, std::vector<run::ProbeControlRow>> rows;
  for (run::ProbeControlRow& row : run::read_probe_controls(path)) {
    if (row.probe.kind != run::kShared) rows[row.variant].push_back(std::move(row));
  }
  std::map<std::string, ProbeTable> tables;
  for (const auto& [variant, of_variant] : rows) tables.emplace(variant, make_table_of(path, of_variant));
  return tables;
}

}  // namespace moescope::report
