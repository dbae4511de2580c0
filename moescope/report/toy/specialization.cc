#include "moescope/report/toy/specialization.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "moescope/plot/panels.h"
#include "moescope/stats/clustered.h"

namespace moescope::report {

namespace {

constexpr std::int64_t kMost = 4;  // own features; more count as so many

struct Expert {
  std::string architecture;
  std::int64_t model = 0, n_own = 0;
  double use = 0;
  std::array<std::optional<double>, 3> changed;  // clamped, clamped at density 1, only
};

struct Values {
  std::vector<double> values, baseline;
  std::vector<std::int64_t> models;
};

constexpr std::array kChanges = {"use_clamped", "use_clamped_full", "use_only"};

std::vector<Expert> read_experts(const ToyTable& table, const std::string& suffix) {
  std::vector<Expert> experts;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    Expert expert{table.text("architecture", row),
                  table.integer("instance", row),
                  std::min(kMost, table.integer("n_own" + suffix, row)),
                  table.real("use", row).value_or(0),
                  {}};
    for (std::size_t s = 0; s < kChanges.size(); ++s) expert.changed[s] = table.real(kChanges[s] + suffix, row);
    experts.push_back(std::move(expert));
  }
  return experts;
}

void add(ToyPage& page, const std::string& quantity, const std::string& architecture,
         const std::optional<stats::ClusterEstimate>& estimate) {
  if (!estimate) return;
  page.numbers.push_back({quantity, architecture, std::nullopt, estimate->estimate.value,
                          estimate->estimate.interval.low, estimate->estimate.interval.high, estimate->estimate.n,
                          estimate->has_interval ? "ok" : "no_interval"});
}

// All numbers of one architecture and rule.
void add_numbers(const std::vector<Expert>& experts, const std::string& architecture, const std::string& suffix,
                 ToyPage& page) {
  for (std::int64_t c = 0; c <= kMost; ++c) {
    Values is_so, use;
    std::array<Values, kChanges.size()> changed;
    for (const Expert& expert : experts) {
      if (expert.architecture != architecture) continue;
      is_so.values.push_back(expert.n_own == c ? 1 : 0);
      is_so.models.push_back(expert.model);
      if (expert.n_own != c) continue;
      use.values.push_back(expert.use);
      use.models.push_back(expert.model);
      for (std::size_t s = 0; s < kChanges.size(); ++s) {
        if (!expert.changed[s]) continue;
        changed[s].values.push_back(*expert.changed[s]);
        changed[s].baseline.push_back(expert.use);
        changed[s].models.push_back(expert.model);
      }
    }
    const std::string end = fmt::format("_{}{}", c, suffix);
    add(page, fmt::format("mono_{}_share{}", c, suffix), architecture,
        stats::clustered_mean(is_so.values, is_so.models));
    add(page, "use" + end, architecture, stats::clustered_mean(use.values, use.models));
    for (std::size_t s = 0; s < kChanges.size(); ++s) {
      add(page, kChanges[s] + end, architecture, stats::clustered_mean(changed[s].values, changed[s].models));
    }
    add(page, "lift" + end, architecture,
        stats::clustered_ratio(changed[0].values, changed[0].baseline, changed[0].models));
  }
}

// Points of one quantity over C = first ... kMost.
plot::Curve curve_of(const ToyPage& page, const std::string& prefix, const std::string& suffix,
                     const std::string& architecture, const std::string& title, std::size_t color, std::int64_t first) {
  plot::Curve curve{title, color, {}, false};
  for (std::int64_t c = first; c <= kMost; ++c) {
    const std::string quantity = fmt::format("{}_{}{}", prefix, c, suffix);
    for (const PageNumber& number : page.numbers) {
      if (number.quantity != quantity || number.architecture != architecture) continue;
      curve.points.push_back({static_cast<double>(c), number.value, number.low, number.high});
    }
  }
  return curve;
}

constexpr const char* kOwnTics =
    "set xtics ('0' 0, '1' 1, '2' 2, '3' 3, '4+' 4)\nset xrange [-0.3:4.3]\nset yrange [0:*]\n";
constexpr const char* kOwnAxis = "monosemantic features of the expert";

plot::Figure count_figure(const ToyRun& run, const ToyPage& page) {
  std::vector<plot::CurvePanel> panels;
  for (const char* suffix : {"", "_published"}) {
    plot::CurvePanel panel{*suffix == '\0' ? "This project's rule: norm > 0.5, P < 0.2, expert in use"
                                           : "Published rule: P < 0.2, whatever the norm",
                           kOwnAxis,
                           "share of experts",
                           {},
                           false,
                           false,
                           kOwnTics};
    for (std::size_t a = 0; a < run.architectures.size(); ++a) {
      const std::string& name = run.architectures[a].name;
      panel.curves.push_back(curve_of(page, "mono", std::string("_share") + suffix, name, name, a, 0));
    }
    panels.push_back(std::move(panel));
  }
  return plot::curve_figure("specialization_counts",
                            "How many features has an expert to itself? Bands: 95% over models", panels, 2, 470, 310);
}

plot::Figure use_figure(const ToyRun& run, const ToyPage& page) {
  struct Condition {
    const char* prefix;
    const char* title;
  };
  constexpr std::array kConditions = {Condition{"use", "unchanged"},
                                      Condition{"use_clamped", "own features set to 1, density of training"},
                                      Condition{"use_clamped_full", "own features set to 1, density 1 (as published)"},
                                      Condition{"use_only", "only own features on"}};
  std::vector<plot::CurvePanel> panels;
  for (const ToyArchitecture& a : run.architectures) {
    plot::CurvePanel panel{a.name, kOwnAxis, "share of inputs reaching the expert", {}, false, false, kOwnTics};
    panel.commands += "set xrange [0.7:4.3]\nset yrange [0:1.05]\n";
    for (std::size_t s = 0; s < kConditions.size(); ++s) {
      panel.curves.push_back(curve_of(page, kConditions[s].prefix, "", a.name, kConditions[s].title, s, 1));
    }
    panels.push_back(std::move(panel));
  }
  return plot::curve_figure("specialization_use",
                            "Do its own features bring an input to an expert? Bands: 95% over models", panels, 2, 470,
                            310);
}

// Mean density of a feature among the inputs of an expert, by the feature's class there.
void add_density_numbers(const ToyRun& run, ToyPage& page) {
  for (const ToyArchitecture& a : run.architectures) {
    for (const char* word : {"monosemantic", "superposed", "ignored"}) {
      Values values;
      for (std::size_t row = 0; row < run.features->n_rows(); ++row) {
        if (run.features->text("architecture", row) != a.name || run.features->text("class", row) != word) continue;
        const auto density = run.features->real("density_in_expert", row);
        if (!density) continue;
        values.values.push_back(*density);
        values.models.push_back(run.features->integer("instance", row));
      }
      add(page, std::string("density_") + word, a.name, stats::clustered_mean(values.values, values.models));
    }
  }
}

plot::Figure density_figure(const ToyRun& run, const ToyPage& page) {
  plot::CurvePanel panel{"What an expert sees often, it gives a dimension",
                         "P(feature on | expert active)",
                         "",
                         {},
                         false,
                         false,
                         "set xrange [*<0:*]\n",
                         {"monosemantic", "superposed", "ignored"}};
  for (std::size_t a = 0; a < run.architectures.size(); ++a) {
    plot::Curve curve{run.architectures[a].name, a, {}, false};
    double place = 0;
    for (const char* word : {"monosemantic", "superposed", "ignored"}) {
      for (const PageNumber& number : page.numbers) {
        if (number.quantity != std::string("density_") + word || number.architecture != curve.title) continue;
        curve.points.push_back({place, number.value, number.low, number.high});
      }
      ++place;
    }
    panel.curves.push_back(std::move(curve));
  }
  return plot::curve_figure("specialization_density", "", {panel}, 1, 620, 340);
}

}  // namespace

void add_specialization(const ToyRun& run, ToyPage& page) {
  const ToyTable table = ToyTable::read(run.folder / "specialization.csv");
  for (const char* suffix : {"", "_published"}) {
    const std::vector<Expert> experts = read_experts(table, suffix);
    for (const ToyArchitecture& a : run.architectures) add_numbers(experts, a.name, suffix, page);
  }
  page.figures.push_back(count_figure(run, page));
  page.figures.push_back(use_figure(run, page));
  if (!run.features) return;
  add_density_numbers(run, page);
  page.figures.push_back(density_figure(run, page));
}

}  // namespace moescope::report
