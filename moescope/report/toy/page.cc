#include "moescope/report/toy/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "moescope/base/error.h"
#include "moescope/io/table.h"
#include "moescope/report/toy/curves.h"
#include "moescope/report/toy/geometry.h"
#include "moescope/report/toy/phase.h"
#include "moescope/report/toy/specialization.h"
#include "moescope/run/run_directory.h"
#include "moescope/stats/bootstrap.h"

namespace moescope::report {

namespace {

constexpr std::int64_t kResamples = 2000;
constexpr double kSameDensity = 1e-9;

bool same(const std::optional<double>& a, const std::optional<double>& b) {
  return a.has_value() == b.has_value() && (!a || std::abs(*a - *b) < kSameDensity);
}

io::Table number_table(const std::vector<PageNumber>& numbers) {
  io::TextColumn quantity, architecture, status;
  io::RealColumn density, value, low, high;
  io::IntColumn n;
  for (const PageNumber& number : numbers) {
    quantity.emplace_back(number.quantity);
    architecture.emplace_back(number.architecture);
    density.push_back(number.density);
    value.emplace_back(number.value);
    low.emplace_back(number.low);
    high.emplace_back(number.high);
    n.emplace_back(number.n);
    status.emplace_back(number.status);
  }
  return {{{"quantity", quantity},
           {"architecture", architecture},
           {"density", density},
           {"value", value},
           {"low", low},
           {"high", high},
           {"n", n},
           {"status", status}}};
}

}  // namespace

std::optional<PageNumber> mean_number(const std::string& quantity, const std::string& architecture,
                                      std::optional<double> density, const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  PageNumber number{quantity, architecture, density, 0, 0, 0, static_cast<std::int64_t>(values.size()), "range"};
  number.value = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  number.low = *std::min_element(values.begin(), values.end());
  number.high = *std::max_element(values.begin(), values.end());
  if (number.n < stats::kMinUnits) return number;
  const auto estimate = stats::bootstrap_mean(values, kResamples, 1);
  number.low = estimate->interval.low;
  number.high = estimate->interval.high;
  number.status = "ok";
  return number;
}

std::vector<Expectation> read_expectations(const std::filesystem::path& path) {
  const ToyTable table = ToyTable::read(path);
  std::vector<Expectation> expected;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    const std::optional<double> least = table.real("least", row), most = table.real("most", row);
    if (!least || !most || *least > *most) {
      throw input_error("row {}: least and most are not two numbers in order", row + 1).at(path.string());
    }
    expected.push_back(
        {table.text("quantity", row), table.text("architecture", row), table.real("density", row), *least, *most});
  }
  if (expected.empty()) throw input_error("expects nothing").at(path.string());
  return expected;
}

CheckResult check_expectations(const std::vector<PageNumber>& numbers, const std::vector<Expectation>& expected) {
  CheckResult result;
  for (const Expectation& each : expected) {
    const auto found = std::find_if(numbers.begin(), numbers.end(), [&](const PageNumber& number) {
      return number.quantity == each.quantity && number.architecture == each.architecture &&
             same(number.density, each.density);
    });
    const std::string where = each.architecture + (each.density ? fmt::format(", density {}", *each.density) : "");
    const std::string bounds = fmt::format("expected {:.4g} to {:.4g}", each.least, each.most);
    if (found == numbers.end()) {
      result.text += fmt::format("absent   {} ({}): {}\n", each.quantity, where, bounds);
      ++result.n_failed;
      continue;
    }
    const bool inside = found->value >= each.least && found->value <= each.most;
    result.text += fmt::format("{:<8} {} ({}): {:.4g} [{:.4g}, {:.4g}], {}\n", inside ? "ok" : "OUTSIDE", each.quantity,
                               where, found->value, found->low, found->high, bounds);
    result.n_failed += inside ? 0 : 1;
  }
  return result;
}

ToyPage write_toy_page(const std::filesystem::path& folder) {
  const ToyRun toy = read_toy_run(folder);
  run::begin_step(folder);
  ToyPage page;
  if (toy.experiment.empty()) {
    run::finish_step(folder);
    return page;
  }
  if (toy.experiment == "features_per_dimension") {
    add_density_curves(toy, page);
  } else if (toy.experiment == "sparsity_sweep") {
    add_sweep_curves(toy, page);
  } else if (toy.experiment == "phase") {
    add_phase_maps(toy, page);
  } else if (toy.experiment == "specialization") {
    add_specialization(toy, page);
  } else if (toy.experiment == "geometry") {
    add_geometry(toy, page);
  } else {
    throw input_error("no page for the experiment '{}'", toy.experiment).at(folder.string());
  }
  io::write_csv(folder / "page.csv", number_table(page.numbers));
  for (const plot::Figure& figure : page.figures) plot::draw(folder, figure);
  return page;
}

}  // namespace moescope::report
