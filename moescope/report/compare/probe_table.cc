#include "moescope/report/compare/probe_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/io/table.h"

namespace moescope::report {

namespace {

using io::TextColumn;

// What published files hold in the place of a number: probes that were not fitted, a precision without predictions.
bool is_missing(const std::optional<std::string>& field) {
  return !field || field->empty() || *field == "Not Enough Samples" || *field == "NaN";
}

template <typename T>
T number(const std::string& text, const char* column) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) {
    throw input_error("column '{}': {} is not a number", column, io::quote_name(text));
  }
  return value;
}

// A share in [0, 1], or nothing where it is missing.
std::optional<double> share(const std::optional<std::string>& field, const char* column) {
  if (is_missing(field)) return std::nullopt;
  const auto value = number<double>(*field, column);
  if (!(value >= 0 && value <= 1)) throw input_error("column '{}': {} is not in [0, 1]", column, *field);
  return value;
}

std::int64_t whole(const std::optional<std::string>& field, const char* column, std::int64_t least) {
  if (!field) throw input_error("column '{}' is empty", column);
  const auto value = number<std::int64_t>(*field, column);
  if (value < least || value > std::numeric_limits<std::int32_t>::max()) {
    throw input_error("column '{}': {} is out of range", column, value);
  }
  return value;
}

ProbeRow parse_row(const io::Table& table, std::size_t row, bool with_validation) {
  const auto field = [&](const char* column) -> const std::optional<std::string>& {
    return std::get<TextColumn>(table.at(column).values)[row];
  };
  ProbeRow parsed;
  if (!field("concept") || field("concept")->empty()) throw input_error("column 'concept' is empty");
  parsed.concept_name = *field("concept");
  parsed.layer = whole(field("layer"), "layer", 0);
  parsed.k = whole(field("k"), "k", 1);
  parsed.is_dense = field("expert") == "dense";
  parsed.is_shared = field("expert") == "shared";
  if (!parsed.is_dense && !parsed.is_shared) parsed.expert = whole(field("expert"), "expert", 0);
  parsed.f1 = share(field("f1"), "f1");
  for (const char* column : {"recall", "precision"}) share(field(column), column);
  for (const char* column : {"num_positive", "num_negative"}) {
    if (!is_missing(field(column))) whole(field(column), column, 0);
  }
  if (with_validation) parsed.validation_f1 = share(field("validation_f1"), "validation_f1");
  return parsed;
}

io::Table text_columns(const std::vector<std::string>& names) {
  io::Table table;
  for (const std::string& name : names) table.columns.push_back({name, TextColumn()});
  return table;
}

const std::vector<std::string> kPublished = {"concept", "layer",     "expert",       "k",           "f1",
                                             "recall",  "precision", "num_positive", "num_negative"};

// `at` tells where an error stands.
template <typename T>
std::size_t place_of(const std::vector<T>& sorted, const T& value) {
  return static_cast<std::size_t>(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin());
}

template <typename Set>
auto as_vector(const Set& set) {
  return std::vector<typename Set::value_type>(set.begin(), set.end());
}

// The rows of shared experts, or all others.
std::vector<ProbeRow> read_rows(const std::filesystem::path& path, bool shared) {
  const io::Table text = io::read_csv(path, text_columns(kPublished));
  std::vector<ProbeRow> rows;
  for (std::size_t row = 0; row < text.n_rows(); ++row) {
    try {
      ProbeRow parsed = parse_row(text, row, false);
      if (parsed.is_shared == shared) rows.push_back(std::move(parsed));
    } catch (const Error& error) {
      throw error.at(fmt::format("{}, row {}", path.string(), row + 1));
    }
  }
  return rows;
}

ProbeTable make_table_of(const std::filesystem::path& path, const std::vector<ProbeRow>& rows) {
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

ProbeTable make_probe_table(const std::vector<ProbeRow>& rows) {
  if (rows.empty()) throw input_error("holds no probes");
  std::set<std::string> concepts;
  std::set<std::int32_t> ks;
  std::map<std::int64_t, std::set<std::int64_t>> experts;
  ProbeTable table;
  table.is_dense = true;
  for (const ProbeRow& row : rows) {
    concepts.insert(row.concept_name);
    ks.insert(static_cast<std::int32_t>(row.k));
    experts[row.layer].insert(row.expert);
    table.is_dense = table.is_dense && row.is_dense;
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
  for (const ProbeRow& row : rows) {
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
    table.scores[c][k][layer].push_back({static_cast<std::int32_t>(row.expert), *row.f1, row.validation_f1});
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
  const std::vector<ProbeRow> rows = read_rows(path, true);
  if (rows.empty()) return std::nullopt;
  return make_table_of(path, rows);
}

std::map<std::string, ProbeTable> read_probe_controls(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return {};
  std::vector<std::string> names = {"variant"};
  names.insert(names.end(), kPublished.begin(), kPublished.end());
  names.emplace_back("validation_f1");
  names.emplace_back("status");
  const io::Table text = io::read_csv(path, text_columns(names));
  std::map<std::string, std::vector<ProbeRow>> rows;
  for (std::size_t row = 0; row < text.n_rows(); ++row) {
    const auto& variant = std::get<TextColumn>(text.at("variant").values)[row];
    try {
      if (!variant) throw input_error("column 'variant' is empty");
      ProbeRow parsed = parse_row(text, row, true);
      if (!parsed.is_shared) rows[*variant].push_back(std::move(parsed));
    } catch (const Error& error) {
      throw error.at(fmt::format("{}, row {}", path.string(), row + 1));
    }
  }
  std::map<std::string, ProbeTable> tables;
  for (const auto& [variant, of_variant] : rows) tables.emplace(variant, make_table_of(path, of_variant));
  return tables;
}

}  // namespace moescope::report
