// experts.csv, layers.csv, domains.csv.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/table.h"
#include "moescope/report/run/run_files.h"

namespace moescope::report {

namespace {

namespace fs = std::filesystem;
using io::IntColumn;
using io::RealColumn;
using io::TextColumn;

// Columns that a later version of record adds are read as text and left alone.
io::Table read_with_extra_columns(const fs::path& path, io::Table like) {
  std::ifstream file(path);
  std::string header;
  std::getline(file, header);
  if (header.ends_with('\r')) header.pop_back();
  std::set<std::string> known;
  for (const io::Column& column : like.columns) known.insert(column.name);
  for (std::size_t begin = 0; begin <= header.size();) {
    const std::size_t end = std::min(header.find(',', begin), header.size());
    const std::string name = header.substr(begin, end - begin);
    if (known.insert(name).second) like.columns.push_back({name, TextColumn()});
    begin = end + 1;
  }
  return io::read_csv(path, like);
}

// A column by name, with the row number in every complaint. Views the table.
template <typename ColumnType>
class ColumnReader {
 public:
  ColumnReader(const io::Table& table, const std::string& name, const fs::path& path)
      : values_(std::get<ColumnType>(table.at(name).values)), name_(name), path_(path) {}

  const auto& operator[](std::size_t row) const { return values_[row]; }

  const auto& required(std::size_t row) const {
    if (!values_[row]) throw complaint(row, "is empty");
    return *values_[row];
  }

  Error complaint(std::size_t row, const std::string& what) const {
    return input_error("row {}: {} {}", row + 1, name_, what).at(path_.string());
  }

 private:
  const ColumnType& values_;
  std::string name_;
  fs::path path_;
};

using IntReader = ColumnReader<IntColumn>;
using RealReader = ColumnReader<RealColumn>;
using TextReader = ColumnReader<TextColumn>;

std::int64_t checked_index(const IntReader& column, std::size_t row, std::int64_t n) {
  const std::int64_t value = column.required(row);
  if (value < 0 || value >= n) throw column.complaint(row, fmt::format("is {}, expected 0 to {}", value, n - 1));
  return value;
}

}  // namespace

void read_experts_csv(ReportedRun& data) {
  const fs::path path = data.folder / "experts.csv";
  const io::Table table = read_with_extra_columns(path, {{{"layer", IntColumn()},
                                                          {"expert", IntColumn()},
                                                          {"n_tokens", IntColumn()},
                                                          {"load_frac", RealColumn()},
                                                          {"mean_weight", RealColumn()},
                                                          {"mean_score", RealColumn()},
                                                          {"mean_output_norm", RealColumn()},
                                                          {"active_neuron_frac", RealColumn()},
                                                          {"active_neuron_frac_01", RealColumn()},
                                                          {"n_windows", IntColumn()},
                                                          {"status", TextColumn()}}});
  const IntReader layer(table, "layer", path), expert(table, "expert", path), n_tokens(table, "n_tokens", path),
      n_windows(table, "n_windows", path);
  const RealReader load(table, "load_frac", path), weight(table, "mean_weight", path), score(table, "mean_score", path),
      norm(table, "mean_output_norm", path), active(table, "active_neuron_frac", path),
      active_01(table, "active_neuron_frac_01", path);
  const TextReader status(table, "status", path);
  data.experts.assign(data.n_all_experts(), ReportedExpert());
  std::vector<bool> seen(data.n_all_experts(), false);
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    const std::int64_t l = checked_index(layer, row, data.n_layers), e = checked_index(expert, row, data.n_columns());
    const std::size_t idx = data.expert_idx(l, e);
    if (seen[idx]) throw layer.complaint(row, fmt::format("{}: a second row for expert {}", l, e));
    seen[idx] = true;
    data.experts[idx] = {status.required(row), n_tokens[row], n_windows[row], load[row],     weight[row],
                         score[row],           norm[row],     active[row],    active_01[row]};
  }
}

void read_layers_csv(ReportedRun& data) {
  const fs::path path = data.folder / "layers.csv";
  const io::Table table = read_with_extra_columns(path, {{{"layer", IntColumn()},
                                                          {"n_tokens", IntColumn()},
                                                          {"router_entropy_bits", RealColumn()},
                                                          {"router_margin", RealColumn()},
                                                          {"load_entropy_bits", RealColumn()},
                                                          {"load_max_over_mean", RealColumn()},
                                                          {"n_never_used", IntColumn()}}});
  const IntReader layer(table, "layer", path), n_tokens(table, "n_tokens", path),
      n_never_used(table, "n_never_used", path);
  const RealReader entropy(table, "router_entropy_bits", path), margin(table, "router_margin", path),
      load_entropy(table, "load_entropy_bits", path), max_over_mean(table, "load_max_over_mean", path);
  data.layers.assign(static_cast<std::size_t>(data.n_layers), ReportedLayer());
  std::set<std::int64_t> seen;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    const std::int64_t l = checked_index(layer, row, data.n_layers);
    if (!seen.insert(l).second) throw layer.complaint(row, fmt::format("{} has a second row", l));
    data.layers[static_cast<std::size_t>(l)] = {n_tokens[row], n_never_used[row], entropy[row],
                                                margin[row],   load_entropy[row], max_over_mean[row]};
  }
}

void read_domains_csv(ReportedRun& data) {
  const fs::path path = data.folder / "domains.csv";
  const io::Table table = read_with_extra_columns(path, {{{"layer", IntColumn()},
                                                          {"expert", IntColumn()},
                                                          {"domain", TextColumn()},
                                                          {"n_tokens", IntColumn()},
                                                          {"share_of_domain_frac", RealColumn()}}});
  const IntReader layer(table, "layer", path), expert(table, "expert", path), n_tokens(table, "n_tokens", path);
  const TextReader domain(table, "domain", path);
  const RealReader share(table, "share_of_domain_frac", path);
  data.by_domain.assign(data.n_all_experts(), {});
  std::map<std::string, int> idx_of;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    const std::int64_t l = checked_index(layer, row, data.n_layers), e = checked_index(expert, row, data.n_columns());
    const std::string name = domain[row].value_or("");  // the name of texts without a domain is empty
    const auto [entry, is_new] = idx_of.try_emplace(name, static_cast<int>(data.domains.size()));
    if (is_new) data.domains.push_back(name);
    const std::int64_t n = n_tokens.required(row);
    if (n < 0) throw n_tokens.complaint(row, "is negative");
    data.by_domain[data.expert_idx(l, e)].push_back({entry->second, n, share[row]});
  }
}

}  // namespace moescope::report
