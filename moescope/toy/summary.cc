#include "moescope/toy/summary.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "moescope/toy/measure.h"

namespace moescope::toy {
namespace {

class Mean {
 public:
  void add(double value) {
    sum_ += value;
    n_ += 1;
  }
  std::optional<double> value() const { return n_ > 0 ? std::optional(sum_ / static_cast<double>(n_)) : std::nullopt; }

 private:
  double sum_ = 0;
  std::int64_t n_ = 0;
};

std::string cell(const std::optional<double>& value, const char* otherwise = "-") {
  return value ? fmt::format("{:.4g}", *value) : otherwise;
}

nlohmann::json or_null(const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(); }

}  // namespace

std::vector<SummaryRow> summarize(const SweepResult& result) {
  const SweepSettings& settings = result.settings;
  const std::size_t n_densities = settings.densities.size();
  struct Means {
    Mean held_out, best, published, explained, gain_corrected;
  };
  std::vector<SummaryRow> rows(settings.architectures.size() * n_densities);
  std::vector<Means> means(rows.size());
  for (const SweepInstance& each : result.instances) {
    const auto a = static_cast<std::size_t>(each.architecture_idx), d = static_cast<std::size_t>(each.density_idx);
    SummaryRow& row = rows[a * n_densities + d];
    Means& mean = means[a * n_densities + d];
    row.architecture = settings.architectures[a].architecture.name;
    row.density = settings.densities[d];
    row.n_models += 1;
    row.n_diverged += each.trained.diverged_step ? 1 : 0;
    if (each.trained.diverged_step) continue;
    mean.held_out.add(each.evaluation.loss);
    if (each.best_last_batch) mean.published.add(each.evaluation.loss);
    if (!each.best_held_out) continue;
    mean.best.add(each.evaluation.loss);
    double explained = 0;
    for (const double r2 : each.evaluation.r2) explained += std::isfinite(r2) ? r2 : 0;
    mean.explained.add(explained);
    mean.gain_corrected.add(measure(settings, each).model.gain_corrected);
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    rows[r].held_out_loss = means[r].held_out.value();
    rows[r].best_held_out_loss = means[r].best.value();
    rows[r].published_held_out_loss = means[r].published.value();
    rows[r].features_explained = means[r].explained.value();
    rows[r].gain_corrected = means[r].gain_corrected.value();
  }
  return rows;
}

std::string describe(const std::vector<SummaryRow>& rows) {
  std::string text =
      fmt::format("{:<16} {:>8} {:>7} {:>9} {:>11} {:>11} {:>11} {:>9} {:>9}\n", "architecture", "density", "models",
                  "diverged", "loss, mean", "best", "published", "explained", "FPD");
  const std::size_t n_shown = std::min(rows.size(), kSummaryRows);
  for (std::size_t r = 0; r < n_shown; ++r) {
    const SummaryRow& row = rows[r];
    text += fmt::format("{:<16} {:>8.4g} {:>7} {:>9} {:>11} {:>11} {:>11} {:>9} {:>9}\n", row.architecture, row.density,
                        row.n_models, row.n_diverged, cell(row.held_out_loss), cell(row.best_held_out_loss),
                        cell(row.published_held_out_loss), cell(row.features_explained), cell(row.gain_corrected));
  }
  if (n_shown < rows.size()) text += fmt::format("... and {} more rows: instances.csv\n", rows.size() - n_shown);
  return text;
}

nlohmann::json to_json(const std::vector<SummaryRow>& rows) {
  nlohmann::json json = nlohmann::json::array();
  for (const SummaryRow& row : rows) {
    json.push_back({{"architecture", row.architecture},
                    {"density", row.density},
                    {"models", row.n_models},
                    {"diverged", row.n_diverged},
                    {"held_out_loss", or_null(row.held_out_loss)},
                    {"best_held_out_loss", or_null(row.best_held_out_loss)},
                    {"published_rule_held_out_loss", or_null(row.published_held_out_loss)},
                    {"features_explained", or_null(row.features_explained)},
                    {"fpd_gain_corrected", or_null(row.gain_corrected)}});
  }
  return json;
}

}  // namespace moescope::toy
