#include "moescope/analysis/probe/probe_tables.h"

#include <algorithm>

#include "moescope/base/error.h"

namespace moescope::analysis::probe {

namespace {

using io::IntColumn;
using io::RealColumn;
using io::Table;
using io::TextColumn;

// Words for experts that no router chooses.
constexpr const char *kDense = "dense", *kShared = "shared";

void append(Table& all, const Table& part) {
  for (std::size_t c = 0; c < all.columns.size(); ++c) {
    std::visit(
        [&](auto& values) {
          const auto& more = std::get<std::decay_t<decltype(values)>>(part.columns[c].values);
          values.insert(values.end(), more.begin(), more.end());
        },
        all.columns[c].values);
  }
}

// The rows for which `wanted` is true and the columns named.
template <typename Wanted>
Table selection(const Table& table, const std::vector<std::string>& names, Wanted wanted) {
  Table chosen;
  for (const std::string& name : names) {
    io::Column column{name, table.at(name).values};
    std::visit(
        [&](auto& values) {
          std::decay_t<decltype(values)> kept;
          for (std::size_t row = 0; row < values.size(); ++row) {
            if (wanted(row)) kept.push_back(values[row]);
          }
          values = std::move(kept);
        },
        column.values);
    chosen.columns.push_back(std::move(column));
  }
  return chosen;
}

template <typename... Lists>
std::vector<std::string> joined(const std::vector<std::string>& first, const Lists&... rest) {
  std::vector<std::string> all = first;
  (all.insert(all.end(), rest.begin(), rest.end()), ...);
  return all;
}

void write_both(const std::filesystem::path& base, const Table& csv, const Table& parquet) {
  io::write_csv(base.string() + ".csv", csv);
  if (io::parquet_available()) io::write_parquet(base.string() + ".parquet", parquet);
}

}  // namespace

const char* kind_of(const ExpertNeurons& expert) {
  return expert.is_dense ? kDense : expert.is_shared ? kShared : "routed";
}

Table record_table(const std::vector<ProbeRecord>& records, const text::ConceptLibrary& concepts) {
  TextColumn name, category, expert, variant, status;
  IntColumn layer, k, n_positive, n_negative, n_steps;
  RealColumn f1, recall, precision, validation;
  for (const ProbeRecord& record : records) {
    const text::Concept& one = concepts.at(static_cast<std::size_t>(record.concept_idx));
    const stats::WidthResult& result = record.result;
    const bool is_fitted =
        result.status == stats::ProbeStatus::kOk || result.status == stats::ProbeStatus::kNotConverged;
    const auto number = [&](double value) { return is_fitted ? std::optional(value) : std::nullopt; };
    name.emplace_back(one.name);
    category.emplace_back(one.category);
    layer.emplace_back(record.layer);
    expert.emplace_back(record.is_dense ? kDense : record.is_shared ? kShared : std::to_string(record.expert));
    k.emplace_back(result.k);
    f1.push_back(number(result.test.f1));
    recall.push_back(number(result.test.recall));
    precision.push_back(number(result.test.precision));
    n_positive.emplace_back(record.n_positive);
    n_negative.emplace_back(record.n_negative);
    validation.push_back(record.has_validation ? number(result.validation.f1) : std::nullopt);
    variant.emplace_back(variant_word(record.variant));
    status.emplace_back(stats::status_word(result.status));
    n_steps.push_back(is_fitted ? std::optional<std::int64_t>(result.n_steps) : std::nullopt);
  }
  return {{{"concept", name},
           {"category", category},
           {"layer", layer},
           {"expert", expert},
           {"k", k},
           {"f1", f1},
           {"recall", recall},
           {"precision", precision},
           {"num_positive", n_positive},
           {"num_negative", n_negative},
           {"validation_f1", validation},
           {"variant", variant},
           {"status", status},
           {"n_steps", n_steps}}};
}

Table expert_table(const std::vector<ExpertRecord>& experts) {
  IntColumn layer, expert, n_neurons, n_tokens;
  RealColumn active;
  TextColumn kind, status;
  for (const ExpertRecord& record : experts) {
    layer.emplace_back(record.layer);
    expert.emplace_back(record.expert);
    kind.emplace_back(record.kind);
    n_neurons.emplace_back(record.n_neurons);
    n_tokens.emplace_back(record.n_tokens);
    active.push_back(record.mean_active_neurons);
    status.emplace_back(record.mean_active_neurons ? "ok" : "no_tokens");
  }
  return {{{"layer", layer},
           {"expert", expert},
           {"kind", kind},
           {"n_neurons", n_neurons},
           {"n_tokens", n_tokens},
           {"mean_active_neurons", active},
           {"status", status}}};
}

std::filesystem::path LayerFiles::records_path(std::int64_t layer) const {
  return folder_ / fmt::format("probes.{}.csv", layer);
}

std::filesystem::path LayerFiles::experts_path(std::int64_t layer) const {
  return folder_ / fmt::format("experts.{}.csv", layer);
}

bool LayerFiles::has(std::int64_t layer) const { return std::filesystem::exists(experts_path(layer)); }

void LayerFiles::save(std::int64_t layer, const Table& records, const Table& experts) const {
  io::write_csv(records_path(layer), records);
  io::write_csv(experts_path(layer), experts);  // last: it says that the layer is complete
}

LayerFiles::Counts LayerFiles::assemble(const std::vector<std::int64_t>& layers,
                                        const std::filesystem::path& out) const {
  const Table like = record_table({}, text::ConceptLibrary::from_json(R"({"concepts": []})", "none"));
  Table records = like, experts = expert_table({});
  for (const std::int64_t layer : layers) append(records, io::read_csv(records_path(layer), like));
  for (const std::int64_t layer : layers) append(experts, io::read_csv(experts_path(layer), expert_table({})));

  const auto& variants = std::get<TextColumn>(records.at("variant").values);
  const auto is_main = [&](std::size_t row) { return variants[row] == "main"; };
  const auto is_control = [&](std::size_t row) { return variants[row] != "main"; };
  const std::vector<std::string> published = {"concept", "layer",     "expert",       "k",           "f1",
                                              "recall",  "precision", "num_positive", "num_negative"};
  const std::vector<std::string> typed = {"category", "status", "n_steps"};
  const std::vector<std::string> control = {"validation_f1", "status"};
  write_both(out / "probes", selection(records, published, is_main),
             selection(records, joined(published, typed), is_main));
  const Table controls = selection(records, joined({"variant"}, published, control), is_control);
  if (controls.n_rows() > 0) write_both(out / "probe_controls", controls, controls);
  write_both(out / "probe_experts", experts, experts);

  Counts counts;
  const auto& statuses = std::get<TextColumn>(records.at("status").values);
  for (std::size_t row = 0; row < statuses.size(); ++row) {
    if (!is_main(row)) continue;
    ++counts.n_probes;
    const std::string& status = *statuses[row];
    if (status == "ok" || status == "not_converged") ++counts.n_fitted;
    if (status == "not_converged") ++counts.n_not_converged;
    if (status == "too_few") ++counts.n_too_few;
  }
  counts.n_other = counts.n_probes - counts.n_fitted - counts.n_too_few;
  double sum = 0, n = 0;
  const auto& active = std::get<RealColumn>(experts.at("mean_active_neurons").values);
  const auto& n_tokens = std::get<IntColumn>(experts.at("n_tokens").values);
  const auto& kinds = std::get<TextColumn>(experts.at("kind").values);
  for (std::size_t row = 0; row < active.size(); ++row) {
    if (!active[row] || kinds[row] == kShared) continue;  // what a token's chosen experts activate
    sum += *active[row] * static_cast<double>(*n_tokens[row]);
    n += static_cast<double>(*n_tokens[row]);
  }
  if (n > 0) counts.mean_active_neurons = sum / n;
  return counts;
}

}  // namespace moescope::analysis::probe
