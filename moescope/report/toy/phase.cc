#include "moescope/report/toy/phase.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "moescope/plot/layout.h"
#include "moescope/plot/panels.h"
#include "moescope/plot/script.h"
#include "moescope/report/toy/phase_cells.h"
#include "moescope/stats/interval.h"
#include "moescope/stats/phase.h"

namespace moescope::report {

namespace {

constexpr std::uint64_t kDraws = 200;
constexpr int kPanelWidth = 270, kPanelHeight = 260;

plot::ColorScale feature_class_scale() { return plot::class_scale({"ignored", "monosemantic", "superposed"}); }

bool is_published(const ToyArchitecture& a) { return a.name.starts_with("published"); }

// One architecture of the run with its cells and the seeds shown.
struct Map {
  const ToyArchitecture* architecture = nullptr;
  PhaseCells cells;
  Choice best;
};

plot::HeatPanel empty_panel(const Map& map, const std::string& title) {
  plot::HeatPanel panel;
  panel.title = title;
  panel.x_title = "importance of the last feature";
  panel.y_title = "sparsity S";
  panel.n_rows = map.cells.n_rows();
  panel.n_columns = map.cells.n_columns();
  panel.values.resize(panel.n_rows * panel.n_columns);
  panel.x_first = map.cells.importances.front();
  panel.x_last = map.cells.importances.back();
  panel.y_first = map.cells.sparsities.front();
  panel.y_last = map.cells.sparsities.back();
  return panel;
}

template <typename Value>
plot::HeatPanel panel_of(const Map& map, const std::string& title, const Value& value) {
  plot::HeatPanel panel = empty_panel(map, title);
  for (std::size_t cell = 0; cell < panel.values.size(); ++cell) {
    if (map.best[cell]) panel.values[cell] = value(map.cells.models[cell][*map.best[cell]]);
  }
  return panel;
}

// All panels in rows of as many columns as the largest mixture has experts; shorter rows are filled with nothing.
template <typename Title, typename Value>
plot::Figure expert_maps(const std::string& name, const std::vector<std::string>& header, const std::vector<Map>& maps,
                         const plot::ColorScale& scale, const Title& title, const Value& value) {
  std::size_t n_columns = 0;
  for (const Map& map : maps) n_columns = std::max(n_columns, static_cast<std::size_t>(map.architecture->n_experts));
  std::vector<plot::HeatPanel> panels;
  for (const Map& map : maps) {
    panels.resize((panels.size() + n_columns - 1) / n_columns * n_columns);
    for (std::size_t e = 0; e < static_cast<std::size_t>(map.architecture->n_experts); ++e) {
      panels.push_back(panel_of(map, title(*map.architecture, e), [&](const PhaseModel& m) { return value(m, e); }));
    }
  }
  return plot::heat_figure(name, header, panels, scale, n_columns, kPanelWidth, kPanelHeight);
}

double class_number(const LastFeature& feature) { return static_cast<double>(stats::feature_class(feature.measures)); }

// Norm of the last feature in the expert that handles it, along importance, at a few sparsities.
plot::Figure norm_curves(const std::vector<Map>& maps) {
  std::vector<plot::CurvePanel> panels;
  for (const double wanted : {0.05, 0.3, 0.6, 0.9}) {
    plot::CurvePanel panel{
        "", "importance of the last feature", "||W_last||, role 0", {}, false, false, "set yrange [0:1.6]\n"};
    for (std::size_t m = 0; m < maps.size(); ++m) {
      const PhaseCells& cells = maps[m].cells;
      std::size_t row = 0;
      for (std::size_t r = 0; r < cells.n_rows(); ++r) {
        if (std::abs(cells.sparsities[r] - wanted) < std::abs(cells.sparsities[row] - wanted)) row = r;
      }
      panel.title = fmt::format("sparsity S = {:.3g}", cells.sparsities[row]);
      plot::Curve curve{maps[m].architecture->name, m, {}, maps[m].architecture->n_experts == 1};
      for (std::size_t c = 0; c < cells.n_columns(); ++c) {
        const std::size_t cell = row * cells.n_columns() + c;
        if (!maps[m].best[cell]) continue;
        const double norm = cells.models[cell][*maps[m].best[cell]].of_role(0).measures.norm;
        double low = norm, high = norm;
        // Every second seed at least is within: quartiles over seeds.
        std::vector<double> norms;
        for (const PhaseModel& model : cells.models[cell]) norms.push_back(model.of_role(0).measures.norm);
        std::sort(norms.begin(), norms.end());
        low = norms[norms.size() / 4];
        high = norms[norms.size() - 1 - norms.size() / 4];
        curve.points.push_back({cells.importances[c], norm, low, high});
      }
      panel.curves.push_back(std::move(curve));
    }
    panels.push_back(std::move(panel));
  }
  return plot::curve_figure("phase_norms",
                            "Does the last feature jump or slide in? Lines: best seed; bands: quartiles over seeds",
                            panels, 2, 520, 320);
}

// The published colours, by the experts' own numbers, every panel by its own maxima.
plot::Figure published_colours(const std::vector<Map>& maps) {
  plot::Figure figure{"phase_published_colours", "", "", 0, 0};
  std::string body;
  std::size_t n_columns = 0;
  for (const Map& map : maps) n_columns = std::max(n_columns, static_cast<std::size_t>(map.architecture->n_experts));
  const std::size_t n_rows = maps.size();
  figure.width = std::max(560, kPanelWidth * static_cast<int>(n_columns));
  figure.height = kPanelHeight * static_cast<int>(n_rows) + 50;
  std::size_t panel_idx = 0;
  for (const Map& map : maps) {
    for (std::size_t e = 0; e < static_cast<std::size_t>(map.architecture->n_experts); ++e, ++panel_idx) {
      double largest_norm = 0, largest_score = 0;
      const auto each = [&](const auto& visit) {
        for (std::size_t cell = 0; cell < map.best.size(); ++cell) {
          if (map.best[cell]) visit(cell, map.cells.models[cell][*map.best[cell]].by_index[e].measures);
        }
      };
      each([&](std::size_t, const stats::FeatureMeasures& f) {
        largest_norm = std::max(largest_norm, f.norm);
        largest_score = std::max(largest_score, f.score_with_self);
      });
      std::string lines;
      each([&](std::size_t cell, const stats::FeatureMeasures& f) {
        const stats::Color color = stats::phase_color(f.norm, f.score_with_self, largest_norm, largest_score);
        lines += fmt::format("{} {} {:.0f} {:.0f} {:.0f}\n", map.cells.importances[cell % map.cells.n_columns()],
                             map.cells.sparsities[cell / map.cells.n_columns()], color.red * 255, color.green * 255,
                             color.blue * 255);
      });
      const std::string name = fmt::format("colours_{}", panel_idx);
      figure.data += plot::data_block(name, lines);
      body += plot::small_title(fmt::format("{}, expert {} ({:.2f}, {:.2f})", map.architecture->name, e, largest_norm,
                                            largest_score)) +
              plot::plot_command({fmt::format("${} using 1:2:3:4:5 with rgbimage notitle", name)});
    }
    for (auto e = static_cast<std::size_t>(map.architecture->n_experts); e < n_columns; ++e) {
      body += "set multiplot next\n";
    }
  }
  figure.body =
      "set tics nomirror out scale 0.5\nunset key\nset xlabel 'importance of the last feature' offset 0,0.5\n"
      "set ylabel 'sparsity S' offset 1,0\n" +
      plot::multiplot(
          {n_rows, n_columns}, body,
          "title 'The published colours, by expert index (largest norm, largest score)'\nset autoscale fix");
  return figure;
}

void add_numbers(const Map& map, ToyPage& page) {
  struct Named {
    const char* name;
    std::optional<double> PhaseNumbers::*member;
  };
  constexpr std::array kNumbers = {Named{"largest_jump", &PhaseNumbers::largest_jump},
                                   Named{"excess_variation", &PhaseNumbers::excess_variation},
                                   Named{"disagreement", &PhaseNumbers::disagreement},
                                   Named{"disagreement_by_index", &PhaseNumbers::disagreement_by_index},
                                   Named{"dead_expert_cells", &PhaseNumbers::dead_expert_cells}};
  const PhaseNumbers numbers = phase_numbers(map.cells, map.best);
  std::vector<PhaseNumbers> draws;
  for (std::uint64_t draw = 0; draw < kDraws; ++draw) {
    draws.push_back(phase_numbers(map.cells, choose_of_drawn(map.cells, is_published(*map.architecture), draw)));
  }
  std::size_t n_seeds = 0;
  for (const auto& seeds : map.cells.models) n_seeds = std::max(n_seeds, seeds.size());
  for (const Named& named : kNumbers) {
    const std::optional<double> value = numbers.*named.member;
    std::vector<double> values;
    for (const PhaseNumbers& draw : draws) {
      if (draw.*named.member) values.push_back(*(draw.*named.member));
    }
    if (!value || values.empty()) continue;
    const stats::Interval interval = stats::percentile_interval(values);
    page.numbers.push_back({named.name, map.architecture->name, std::nullopt, *value, interval.low, interval.high,
                            static_cast<std::int64_t>(n_seeds), "ok"});
  }
  if (const auto ratio = seed_loss_ratio(map.cells)) {
    page.numbers.push_back({"seed_loss_ratio", map.architecture->name, std::nullopt, *ratio, *ratio, *ratio,
                            static_cast<std::int64_t>(n_seeds), "range"});
  }
}

}  // namespace

void add_phase_maps(const ToyRun& run, ToyPage& page) {
  std::vector<Map> maps, published;
  for (std::size_t a = 0; a < run.architectures.size(); ++a) {
    Map map{&run.architectures[a], read_phase_cells(run, a), {}};
    map.best = choose_best(map.cells, is_published(run.architectures[a]));
    add_numbers(map, page);
    if (is_published(run.architectures[a])) published.push_back(map);
    maps.push_back(std::move(map));
  }
  page.figures.push_back(expert_maps(
      "phase",
      {"What becomes of the last feature, experts by role",
       "ignored: ||W|| < 0.5; monosemantic: P^2 < 0.25; else superposed. Role 0: the expert that the router",
       "takes for an input in which only the last feature is on"},
      maps, feature_class_scale(),
      [](const ToyArchitecture& a, std::size_t role) {
        return a.n_experts == 1 ? a.name : fmt::format("{}, role {}{}", a.name, role, role == 0 ? " (handles it)" : "");
      },
      [](const PhaseModel& model, std::size_t role) { return class_number(model.of_role(role)); }));
  page.figures.push_back(expert_maps(
      "phase_by_index",
      {"The same cells by the experts' own numbers",
       "models of neighbouring cells are trained apart and share no numbering"},
      maps, feature_class_scale(),
      [](const ToyArchitecture& a, std::size_t e) { return fmt::format("{}, expert {}", a.name, e); },
      [](const PhaseModel& model, std::size_t e) { return class_number(model.by_index[e]); }));
  page.figures.push_back(norm_curves(maps));
  if (!published.empty()) page.figures.push_back(published_colours(published));
}

}  // namespace moescope::report
