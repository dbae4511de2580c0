#include "moescope/report/toy/curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "moescope/plot/panels.h"

namespace moescope::report {

namespace {

struct Quantity {
  const char* column;
  const char* title;
  const char* axis;
  bool log_y;
};

// Columns of instances.csv. The last is divided by n.
constexpr std::array kQuantities = {
    Quantity{"fpd_published", "Features per dimension, as published", "(1/k) sum u ||W||^2 / m", false},
    Quantity{"fpd_gain_corrected", "The same with measured gains", "sum w sum q / m", false},
    Quantity{"fpd_represented", "Represented features per dimension (count)", "sum w #(q > 1/4) / m", false},
    Quantity{"mean_dimensionality", "Share of a dimension that a feature has", "mean D, represented features", false},
    Quantity{"held_out_loss", "Held-out loss", "mean squared error", true},
    Quantity{"features_explained", "Features explained (sum of held-out R2) / n", "share of features", false}};

// One value a model that did not diverge.
std::vector<double> values_of(const ToyRun& run, std::size_t architecture, double density, const Quantity& quantity) {
  const ToyArchitecture& a = run.architectures[architecture];
  std::vector<double> values;
  for (std::size_t row = 0; row < run.instances.n_rows(); ++row) {
    if (run.instances.text("status", row) != "ok" || run.instances.text("architecture", row) != a.name) continue;
    if (run.instances.real("density", row) != density) continue;
    const std::optional<double> value = run.instances.real(quantity.column, row);
    if (!value) continue;
    const bool share = std::string(quantity.column) == "features_explained";
    values.push_back(share ? *value / static_cast<double>(a.n_features) : *value);
  }
  return values;
}

std::set<double> densities_of(const ToyRun& run) {
  std::set<double> densities;
  for (std::size_t row = 0; row < run.instances.n_rows(); ++row) densities.insert(*run.instances.real("density", row));
  return densities;
}

std::string shape_of(const ToyArchitecture& a) {
  return fmt::format("{}: {} x {} dims, {} active", a.name, a.n_experts, a.n_dims, a.n_active);
}

// The number of a quantity, also put on the page.
std::optional<PageNumber> number_of(const ToyRun& run, ToyPage& page, std::size_t a, double density,
                                    const Quantity& quantity) {
  std::optional<PageNumber> number =
      mean_number(quantity.column, run.architectures[a].name, density, values_of(run, a, density, quantity));
  if (number) page.numbers.push_back(*number);
  return number;
}

std::string series_of(const std::string& name) {
  const std::string series = name.substr(0, name.find('-'));
  for (const char* known : {"width", "active", "total"}) {
    if (series == known && name.find('-') != std::string::npos) return series;
  }
  return "";
}

struct ArchitectureSeries {
  const char* word;
  const char* title;
  const char* axis;
};
constexpr std::array kSeries = {ArchitectureSeries{"width", "experts of one width, one active", "experts E"},
                                ArchitectureSeries{"active", "more of the same experts active", "active experts k"},
                                ArchitectureSeries{"total", "one total of dimensions, one active", "experts E"}};

double place_in_series(const ToyArchitecture& a, const std::string& series) {
  return static_cast<double>(series == "active" ? a.n_active : a.n_experts);
}

// One row of panels a quantity, one column a series, one curve a density.
plot::Figure series_figure(const std::vector<std::vector<std::map<double, std::vector<plot::CurvePoint>>>>& points,
                           const ToyRun& run) {
  std::vector<plot::CurvePanel> panels;
  for (std::size_t q = 0; q < kQuantities.size(); ++q) {
    for (std::size_t f = 0; f < kSeries.size(); ++f) {
      plot::CurvePanel panel{kSeries[f].title, kSeries[f].axis, kQuantities[q].axis, {}, false, false, ""};
      std::size_t color = 0;
      std::string tics;
      std::set<double> places;
      for (const auto& [density, of_density] : points[q][f]) {
        plot::Curve curve{fmt::format("density {}", density), color++, of_density, false};
        std::sort(curve.points.begin(), curve.points.end(),
                  [](const plot::CurvePoint& a, const plot::CurvePoint& b) { return a.x < b.x; });
        for (const plot::CurvePoint& point : curve.points) places.insert(point.x);
        panel.curves.push_back(std::move(curve));
      }
      if (panel.curves.empty()) continue;
      const double first = *places.begin(), last = *places.rbegin();
      for (const double x : places) tics += fmt::format("{}{}", tics.empty() ? "" : ",", x);
      panel.log_x = true;
      panel.commands = fmt::format("set xtics ({})\nset xrange [{}:{}]\nset yrange [{}:*]\n", tics, first * 0.93,
                                   last * 1.07, kQuantities[q].log_y ? "*" : "*<0");
      panel.title = fmt::format("{} ({})", kQuantities[q].title, kSeries[f].word);
      panels.push_back(std::move(panel));
    }
  }
  const auto n = static_cast<std::int64_t>(run.architectures.front().n_features);
  return panels.empty()
             ? plot::Figure{}
             : plot::curve_figure("sparsity_sweep",
                                  fmt::format("{} features. width: experts of one width, one active; active: more "
                                              "active of 8; total: one total of dimensions",
                                              n),
                                  panels, 3, 400, 270);
}

// Architectures beside one another: one panel a quantity.
plot::Figure controls_figure(const ToyRun& run, ToyPage& page, const std::vector<std::size_t>& controls) {
  std::vector<plot::CurvePanel> panels;
  const std::set<double> densities = densities_of(run);
  std::vector<std::string> names;
  for (const std::size_t a : controls) names.push_back(run.architectures[a].name);
  for (const Quantity& quantity : kQuantities) {
    plot::CurvePanel panel{quantity.title, quantity.axis, "", {}, false, false, "set xrange [*<0:*]\n", names};
    std::size_t color = 0;
    for (const double density : densities) {
      plot::Curve curve{fmt::format("density {}", density), color++, {}, false};
      for (std::size_t c = 0; c < controls.size(); ++c) {
        const auto number = number_of(run, page, controls[c], density, quantity);
        if (number) curve.points.push_back({static_cast<double>(c), number->value, number->low, number->high});
      }
      panel.curves.push_back(std::move(curve));
    }
    panels.push_back(std::move(panel));
  }
  return plot::curve_figure("controls", "Baselines and other routers beside one another", panels, 3, 410, 290);
}

}  // namespace

void add_density_curves(const ToyRun& run, ToyPage& page) {
  std::vector<plot::CurvePanel> panels;
  const std::set<double> densities = densities_of(run);
  for (const Quantity& quantity : kQuantities) {
    plot::CurvePanel panel{quantity.title,
                           "1/(1-S): inverse of the share of inputs in which a feature is active",
                           quantity.axis,
                           {},
                           true,
                           quantity.log_y,
                           ""};
    panel.x_title = "1 / (1 - S)";
    for (std::size_t a = 0; a < run.architectures.size(); ++a) {
      plot::Curve curve{shape_of(run.architectures[a]), a, {}, run.architectures[a].n_experts == 1};
      for (const double density : densities) {
        const auto number = number_of(run, page, a, density, quantity);
        if (number) curve.points.push_back({1 / density, number->value, number->low, number->high});
      }
      std::reverse(curve.points.begin(), curve.points.end());
      panel.curves.push_back(std::move(curve));
    }
    if (!quantity.log_y) panel.commands = "set yrange [*<0:*]\n";
    panels.push_back(std::move(panel));
  }
  const std::string title =
      fmt::format("{} features, S: share of inputs in which a feature is off; bands over seeds; dashed: dense",
                  run.architectures.front().n_features);
  page.figures.push_back(plot::curve_figure("features_per_dimension", title, panels, 3, 400, 300));
}

void add_sweep_curves(const ToyRun& run, ToyPage& page) {
  // [quantity][series]: density -> points
  std::vector<std::vector<std::map<double, std::vector<plot::CurvePoint>>>> points(
      kQuantities.size(), std::vector<std::map<double, std::vector<plot::CurvePoint>>>(kSeries.size()));
  std::vector<std::size_t> controls;
  for (std::size_t a = 0; a < run.architectures.size(); ++a) {
    const std::string series = series_of(run.architectures[a].name);
    const auto f =
        static_cast<std::size_t>(std::find_if(kSeries.begin(), kSeries.end(),
                                              [&](const ArchitectureSeries& known) { return series == known.word; }) -
                                 kSeries.begin());
    if (f == kSeries.size()) {
      controls.push_back(a);
      continue;
    }
    for (const double density : densities_of(run)) {
      for (std::size_t q = 0; q < kQuantities.size(); ++q) {
        const auto number = number_of(run, page, a, density, kQuantities[q]);
        if (!number) continue;
        points[q][f][density].push_back(
            {place_in_series(run.architectures[a], series), number->value, number->low, number->high});
      }
    }
  }
  const plot::Figure figure = series_figure(points, run);
  if (!figure.name.empty()) page.figures.push_back(figure);
  if (!controls.empty()) page.figures.push_back(controls_figure(run, page, controls));
}

}  // namespace moescope::report
