#include "moescope/analysis/probe/probe_tables.h"

#include <span>

#include "moescope/base/error.h"
#include "moescope/io/table.h"

namespace moescope::analysis::probe {

namespace {

constexpr const char* kMain = "main";

template <typename Row>
void write_csv(const std::filesystem::path& path, const std::vector<Row>& rows) {
  io::write_csv(path, run::to_table(std::span<const Row>(rows)));
}

LayerFiles::Counts count(const std::vector<run::ProbeRow>& probes, const std::vector<run::ProbeExpertRow>& experts) {
  LayerFiles::Counts counts;
  for (const run::ProbeRow& probe : probes) {
    ++counts.n_probes;
    if (probe.status == "ok" || probe.status == "not_converged") ++counts.n_fitted;
    if (probe.status == "not_converged") ++counts.n_not_converged;
    if (probe.status == "too_few") ++counts.n_too_few;
  }
  counts.n_other = counts.n_probes - counts.n_fitted - counts.n_too_few;
  double sum = 0, n = 0;
  for (const run::ProbeExpertRow& expert : experts) {
    if (!expert.mean_active_neurons || expert.id.kind == run::kShared) continue;  // of a token's chosen experts
    sum += *expert.mean_active_neurons * static_cast<double>(expert.n_tokens);
    n += static_cast<double>(expert.n_tokens);
  }
  if (n > 0) counts.mean_active_neurons = sum / n;
  return counts;
}

}  // namespace

const char* kind_of(bool is_dense, bool is_shared) {
  return is_dense ? run::kDense : is_shared ? run::kShared : run::kRouted;
}

std::vector<run::ProbeControlRow> probe_rows(const std::vector<ProbeRecord>& records,
                                             const text::ConceptLibrary& concepts) {
  std::vector<run::ProbeControlRow> rows;
  for (const ProbeRecord& record : records) {
    const text::Concept& one = concepts.at(static_cast<std::size_t>(record.concept_idx));
    const stats::WidthResult& result = record.result;
    const bool is_fitted =
        result.status == stats::ProbeStatus::kOk || result.status == stats::ProbeStatus::kNotConverged;
    const auto number = [&](double value) { return is_fitted ? std::optional(value) : std::nullopt; };
    run::ProbeControlRow& row = rows.emplace_back();
    row.variant = variant_word(record.variant);
    if (record.has_validation) row.validation_f1 = number(result.validation.f1);
    run::ProbeRow& probe = row.probe;
    probe.concept_name = one.name;
    probe.category = one.category;
    probe.layer = record.layer;
    probe.expert = record.expert;
    probe.kind = kind_of(record.is_dense, record.is_shared);
    probe.k = result.k;
    probe.f1 = number(result.test.f1);
    probe.recall = number(result.test.recall);
    probe.precision = number(result.test.precision);
    probe.n_positive = record.n_positive;
    probe.n_negative = record.n_negative;
    probe.status = stats::status_word(result.status);
    if (is_fitted) probe.n_steps = result.n_steps;
  }
  return rows;
}

std::filesystem::path LayerFiles::probes_path(std::int64_t layer) const {
  return folder_ / fmt::format("probes.{}.csv", layer);
}

std::filesystem::path LayerFiles::experts_path(std::int64_t layer) const {
  return folder_ / fmt::format("experts.{}.csv", layer);
}

bool LayerFiles::has(std::int64_t layer) const { return std::filesystem::exists(experts_path(layer)); }

void LayerFiles::save(std::int64_t layer, const std::vector<run::ProbeControlRow>& probes,
                      const std::vector<run::ProbeExpertRow>& experts) const {
  write_csv(probes_path(layer), probes);
  write_csv(experts_path(layer), experts);  // last: it says that the layer is complete
}

LayerFiles::Counts LayerFiles::assemble(const std::vector<std::int64_t>& layers,
                                        const std::filesystem::path& out) const {
  std::vector<run::ProbeRow> probes;
  std::vector<run::ProbeControlRow> controls;
  std::vector<run::ProbeExpertRow> experts;
  for (const std::int64_t layer : layers) {
    for (run::ProbeControlRow& row : run::read_probe_controls(probes_path(layer))) {
      if (row.variant == kMain) {
        probes.push_back(std::move(row.probe));
      } else {
        controls.push_back(std::move(row));
      }
    }
    for (run::ProbeExpertRow& row : run::read_table<run::ProbeExpertRow>(experts_path(layer))) {
      if (row.id.kind.empty() && !probes.empty()) row.id.kind = probes.back().kind;  // of this layer; saved by schema 1
      experts.push_back(std::move(row));
    }
  }
  run::write_table(out, "probes", probes);
  if (!controls.empty()) run::write_table(out, "probe_controls", controls);
  run::write_table(out, "probe_experts", experts);
  return count(probes, experts);
}

}  // namespace moescope::analysis::probe
