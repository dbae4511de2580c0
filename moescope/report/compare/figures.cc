#include "moescope/report/compare/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "moescope/plot/layout.h"
#include "moescope/plot/script.h"
#include "moescope/plot/style.h"

namespace moescope::report {

namespace {

std::string style() { return plot::axes(plot::GridLines::kHorizontal) + plot::translucent_bands(); }

using Rows = std::vector<const ModelMeasure*>;

Rows rows_of(const std::vector<ModelMeasure>& measures, const std::string& model, const std::string& measure) {
  Rows rows;
  for (const ModelMeasure& row : measures) {
    if (row.model == model && row.measure == measure && row.estimate) rows.push_back(&row);
  }
  return rows;
}

// "x value low high" for each k.
std::string lines_of(const Rows& rows, bool normalised) {
  std::string lines;
  for (const ModelMeasure* row : rows) {
    lines += fmt::format("{} {} {} {}\n", normalised ? *row->k_over_active : row->k, row->estimate->value,
                         row->estimate->interval.low, row->estimate->interval.high);
  }
  return lines;
}

// The clauses of a plot command: bands first, so that no band lies over a curve.
struct Plot {
  std::vector<std::string> bands, curves;

  bool empty() const { return curves.empty(); }
  // A curve with its band; `title` empty: none in the key.
  void add(const std::string& data, std::size_t color, const std::string& title, const char* dash = "") {
    bands.push_back(plot::clause(data, "1:3:4", plot::band_mark(color)));
    curves.push_back(plot::clause(data, "1:2", plot::curve_mark(color, dash), title));
  }
  std::string command() const {
    std::vector<std::string> all = bands;
    all.insert(all.end(), curves.begin(), curves.end());
    return plot::plot_command(all);
  }
};

std::string k_axis(const ProbeTable& table) {
  return plot::x_axis({.title = "k (neurons a probe reads)",
                       .range = fmt::format("[{}:{}]", table.ks.front() * 0.85, table.ks.back() * 1.18),
                       .tics = plot::number_tics(table.ks),
                       .log_base = 2});
}

std::string f1_axis(const std::string& title, const std::string& range = "") {
  return plot::y_axis({.title = title, .range = range});
}

// The lowest and highest bound of the rows, rounded outward to 0.05.
std::string f1_range(const std::vector<Rows>& all) {
  double low = 1, high = 0;
  for (const Rows& rows : all) {
    for (const ModelMeasure* row : rows) {
      low = std::min(low, row->estimate->interval.low);
      high = std::max(high, row->estimate->interval.high);
    }
  }
  return fmt::format("[{:.2f}:{:.2f}]", std::max(0.0, std::floor(low * 20) / 20),
                     std::min(1.0, std::ceil(high * 20) / 20));
}

const ProbeTable& widest(const std::vector<ComparedModel>& models) {
  return std::max_element(
             models.begin(), models.end(),
             [](const ComparedModel& a, const ComparedModel& b) { return a.table.ks.size() < b.table.ks.size(); })
      ->table;
}

plot::Figure curves(const std::vector<ComparedModel>& models, const std::vector<ModelMeasure>& measures) {
  plot::Figure figure{"curves", style(), "", 480, 420};
  const bool all_dense =
      std::all_of(models.begin(), models.end(), [](const ComparedModel& model) { return model.table.is_dense; });
  const std::size_t n_panels = all_dense ? 1 : kAggregates.size();
  figure.width = n_panels == 1 ? 560 : 1180;
  std::vector<Rows> everything;
  std::string panels;
  for (std::size_t a = 0; a < n_panels; ++a) {
    Plot plot;
    for (std::size_t m = 0; m < models.size(); ++m) {
      const Rows rows = rows_of(measures, models[m].name, aggregate_word(kAggregates[a]));
      if (rows.empty()) continue;
      const std::string name = fmt::format("curve_{}_{}", a, m);
      figure.data += plot::data_block(name, lines_of(rows, false));
      plot.add(name, m, a == 0 ? models[m].name : "");
      everything.push_back(rows);
    }
    if (plot.empty()) return {};
    const char* title = all_dense ? "dense models" : aggregate_title(kAggregates[a]);
    panels += fmt::format("set title {}\n{}{}unset ylabel\n", plot::literal(title),
                          a == 0 ? "set key bottom right\n" : "unset key\n", plot.command());
  }
  figure.body += k_axis(widest(models)) + f1_axis("best-layer F1, mean over concepts", f1_range(everything)) +
                 (n_panels == 1 ? panels : plot::multiplot({1, n_panels}, panels));
  return figure;
}

plot::Figure normalised(const std::vector<ComparedModel>& models, const std::vector<ModelMeasure>& measures) {
  plot::Figure figure{"curves_normalised", style(), "", 620, 440};
  Plot plot;
  std::vector<Rows> everything;
  for (std::size_t m = 0; m < models.size(); ++m) {
    const Rows rows = rows_of(measures, models[m].name, aggregate_word(Aggregate::kBestExpert));
    if (rows.empty() || models[m].mean_active_neurons.value_or(0) <= 0) continue;
    const std::string name = fmt::format("curve_{}", m);
    figure.data += plot::data_block(name, lines_of(rows, true));
    plot.add(name, m, models[m].name);
    everything.push_back(rows);
  }
  if (plot.empty()) return {};
  figure.body += plot::x_axis({.title = "k / mean active neurons of an expert", .log_base = 10}) +
                 f1_axis("best-layer F1 (best of all experts)", f1_range(everything)) + "set key bottom right\n" +
                 plot.command();
  return figure;
}

std::string category_of(const CompareOptions& options, const std::string& concept_name) {
  const auto found = options.categories.find(concept_name);
  return found == options.categories.end() ? "other" : found->second;
}

std::vector<std::string> categories_of(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  std::set<std::string> names;
  for (const ComparedModel& model : models) {
    for (const std::string& name : model.table.concepts) names.insert(category_of(options, name));
  }
  return {names.begin(), names.end()};
}

plot::Figure by_category(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  const std::vector<std::string> categories = categories_of(models, options);
  const plot::Layout layout = plot::rows_of_panels(categories.size(), 4);
  plot::Figure figure{"curves_by_category", style(), "", static_cast<int>(330 * layout.n_columns),
                      static_cast<int>(380 * layout.n_rows)};
  std::string panels;
  for (std::size_t c = 0; c < categories.size(); ++c) {
    Plot plot;
    for (std::size_t m = 0; m < models.size(); ++m) {
      std::string lines;
      std::size_t n_concepts = 0;
      for (std::size_t i = 0; i < models[m].table.ks.size(); ++i) {
        ConceptValues values = best_layer_by_concept(models[m].table, i, Aggregate::kBestExpert);
        std::erase_if(values, [&](const auto& item) { return category_of(options, item.first) != categories[c]; });
        n_concepts = std::max(n_concepts, values.size());
        if (const auto mean = mean_over_concepts(values, options.bootstrap)) {
          lines +=
              fmt::format("{} {} {} {}\n", models[m].table.ks[i], mean->value, mean->interval.low, mean->interval.high);
        }
      }
      if (lines.empty()) continue;
      const std::string name = fmt::format("category_{}_{}", c, m);
      figure.data += plot::data_block(name, lines);
      plot.add(name, m, c == 0 ? models[m].name : "");
    }
    if (plot.empty()) continue;
    panels += fmt::format("set title {}\n{}{}", plot::literal(categories[c]),
                          c == 0 ? "set key bottom right\n" : "unset key\n", plot.command());
  }
  figure.body += k_axis(widest(models)) + f1_axis("best-layer F1", "[*<0.4:1]") + plot::multiplot(layout, panels);
  return figure;
}

// Values of `model` against the first one, concept by concept; the names of the largest differences stand beside them.
std::string scatter_panel(const std::vector<ComparedModel>& models, std::size_t m, const CompareOptions& options,
                          const std::vector<std::string>& categories, plot::Figure& figure) {
  constexpr std::size_t kNamed = 7;
  const auto values = [&](const ComparedModel& model) {
    const auto& ks = model.table.ks;
    const auto found = std::find(ks.begin(), ks.end(), options.scatter_k);
    return found == ks.end() ? ConceptValues()
                             : best_layer_by_concept(model.table, static_cast<std::size_t>(found - ks.begin()),
                                                     Aggregate::kBestExpert);
  };
  const ConceptValues first = values(models[0]), other = values(models[m]);
  std::vector<std::pair<double, std::string>> by_size;
  std::vector<std::string> clauses = {plot::diagonal_clause()};
  for (std::size_t c = 0; c < categories.size(); ++c) {
    std::string lines;
    for (const auto& [name, value] : other) {
      const auto found = first.find(name);
      if (found == first.end() || category_of(options, name) != categories[c]) continue;
      lines += fmt::format("{} {}\n", found->second, value);
      by_size.emplace_back(-std::abs(value - found->second), name);
    }
    if (lines.empty()) continue;
    const std::string data = fmt::format("scatter_{}_{}", m, c);
    figure.data += plot::data_block(data, lines);
    clauses.push_back(plot::clause(data, "1:2", {"points", c, 0, "", 7, 0.9}, m == 1 ? categories[c] : ""));
  }
  if (by_size.empty()) return "";
  std::sort(by_size.begin(), by_size.end());
  std::string names;
  std::vector<std::pair<double, double>> taken;
  for (std::size_t i = 0; i < by_size.size() && taken.size() < kNamed; ++i) {
    const std::string& name = by_size[i].second;
    const double x = first.at(name), y = other.at(name);
    const bool is_free = std::all_of(taken.begin(), taken.end(), [&](const auto& other_place) {
      return std::abs(other_place.second - y) > 0.035 || std::abs(other_place.first - x) > 0.35;
    });
    if (!is_free) continue;
    taken.emplace_back(x, y);
    names += fmt::format("{} {} {}\n", x, y, plot::field(name));
  }
  const std::string data = fmt::format("names_{}", m);
  figure.data += plot::data_block(data, names);
  // Beyond the middle a name would run out of the panel: it stands left of its point.
  for (const auto& [side, condition] :
       {std::pair("left offset 0.7,0", "$1<0.6"), std::pair("right offset -0.7,0", "$1>=0.6")}) {
    clauses.push_back(plot::text_clause(data, fmt::format("({} ? $1 : 1/0):2:3", condition), side));
  }
  return plot::x_axis({.title = "F1, " + models[0].name}) + plot::y_axis({.title = "F1, " + models[m].name}) +
         (m == 1 ? "set key bottom right\n" : "unset key\n") + plot::plot_command(clauses);
}

plot::Figure scatter(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  const std::vector<std::string> categories = categories_of(models, options);
  const plot::Layout layout = plot::rows_of_panels(models.size() - 1, 3);
  plot::Figure figure{"concept_scatter", style(), "", static_cast<int>(520 * layout.n_columns),
                      static_cast<int>(520 * layout.n_rows)};
  std::string panels;
  for (std::size_t m = 1; m < models.size(); ++m) panels += scatter_panel(models, m, options, categories, figure);
  if (panels.empty()) return {};
  figure.body += plot::vertical_grid_lines() + std::string("set size ratio -1\n") + plot::x_axis({.range = "[0:1]"}) +
                 plot::y_axis({.range = "[0:1]"}) +
                 fmt::format("set title 'best-layer F1 of each concept, k = {}'\n", options.scatter_k) +
                 plot::multiplot(layout, panels);
  return figure;
}

plot::Figure sparsity(const std::vector<ComparedModel>& models, const std::vector<ModelMeasure>& measures) {
  plot::Figure figure{"sparsity", style(), "", 620, 440};
  std::vector<std::string> clauses;
  std::string labels;
  std::set<double> shares;
  const std::vector<std::int32_t> shown = {1, 4, 16, 64};
  for (std::size_t i = 0; i < shown.size(); ++i) {
    std::vector<std::pair<double, std::string>> lines;
    for (const ComparedModel& model : models) {
      if (!model.active_frac) continue;
      for (const ModelMeasure* row : rows_of(measures, model.name, aggregate_word(Aggregate::kBestExpert))) {
        if (row->k != shown[i]) continue;
        shares.insert(*model.active_frac);
        lines.emplace_back(*model.active_frac, fmt::format("{} {} {} {}\n", *model.active_frac, row->estimate->value,
                                                           row->estimate->interval.low, row->estimate->interval.high));
        if (i == 0) {
          labels += fmt::format("{} {} {}\n", *model.active_frac, row->estimate->interval.low, plot::field(model.name));
        }
      }
    }
    if (lines.empty()) continue;
    std::sort(lines.begin(), lines.end());
    std::string text;
    for (const auto& [x, line] : lines) text += line;
    const std::string name = fmt::format("k_{}", shown[i]);
    figure.data += plot::data_block(name, text);
    clauses.push_back(plot::clause(name, "1:2:3:4", {"yerrorbars", i, 0, "", 7, 0.8}));
    clauses.push_back(plot::clause(name, "1:2", {"lines", i, 2}, fmt::format("k = {}", shown[i])));
  }
  if (shares.size() < 2) return {};
  figure.data += plot::data_block("models", labels);
  clauses.push_back(plot::text_clause("models", "1:2:3", "rotate by 35 right offset 0,-0.6"));
  figure.body += plot::x_axis({.title = "active / all parameters", .log_base = 2}) +
                 f1_axis("best-layer F1 (best of all experts)") +
                 "set key outside right top\nset offsets graph 0.08, graph 0.08, 0, graph 0.2\n" +
                 plot::plot_command(clauses);
  return figure;
}

// Share of concepts for which at most x experts of the best layer come close to the best one.
plot::Figure close_experts(const std::vector<ComparedModel>& models, const CompareOptions& options) {
  plot::Figure figure{"experts_per_concept", style(), "", 620, 440};
  std::vector<std::string> clauses;
  std::int64_t most = 1;
  for (std::size_t m = 0; m < models.size(); ++m) {
    if (models[m].table.is_dense) continue;
    std::vector<std::int64_t> counts;
    for (const CloseExperts& row : experts_per_concept(models[m].table)) {
      if (row.k == options.scatter_k && row.is_best_layer) counts.push_back(row.n_close);
    }
    if (counts.empty()) continue;
    std::sort(counts.begin(), counts.end());
    most = std::max(most, counts.back());
    std::string lines = "1 0\n";
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (i + 1 < counts.size() && counts[i + 1] == counts[i]) continue;
      lines += fmt::format("{} {}\n", counts[i], static_cast<double>(i + 1) / static_cast<double>(counts.size()));
    }
    const std::string name = fmt::format("close_{}", m);
    figure.data += plot::data_block(name, lines);
    clauses.push_back(plot::clause(name, "1:2", {"steps", m, 2.2}, models[m].name));
  }
  if (clauses.empty()) return {};
  figure.body += plot::x_axis({.title = fmt::format("experts of the best layer within 95% of its best F1 (k = {})",
                                                    options.scatter_k),
                               .range = fmt::format("[0.8:{}]", static_cast<double>(most) + 0.2),
                               .tics = fmt::format("1, {}", (most + 9) / 10)}) +
                 plot::y_axis({.title = "share of concepts with at most so many", .range = "[0:1.02]"}) +
                 "set key bottom right\n" + plot::plot_command(clauses);
  return figure;
}

plot::Figure controls(const std::vector<ComparedModel>& models, const std::vector<ModelMeasure>& measures) {
  struct ControlCurve {
    const char *measure, *title, *dash;
  };
  const std::vector<ControlCurve> lines = {{"best_expert", "best of all experts", ""},
                                           {"select_then_test", "chosen on validation, then tested", "dt 2"},
                                           {"matched", "random subsets of neurons", "dt 4"},
                                           {"shuffled", "shuffled labels", "dt 3"}};
  plot::Figure figure{"controls", style(), "", 0, 0};
  std::size_t n_panels = 0;
  std::string panels;
  for (std::size_t m = 0; m < models.size(); ++m) {
    if (models[m].controls.empty()) continue;
    Plot plot;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const Rows rows = rows_of(measures, models[m].name, lines[i].measure);
      if (rows.empty()) continue;
      const std::string name = fmt::format("control_{}_{}", m, i);
      figure.data += plot::data_block(name, lines_of(rows, false));
      plot.add(name, i, lines[i].title, lines[i].dash);
    }
    if (plot.empty()) continue;
    ++n_panels;
    panels += fmt::format("set title {}\nset key bottom right\n{}", plot::literal(models[m].name), plot.command());
  }
  if (n_panels == 0) return {};
  const plot::Layout layout = plot::rows_of_panels(n_panels, 3);
  figure.width = static_cast<int>(440 * layout.n_columns);
  figure.height = static_cast<int>(420 * layout.n_rows);
  figure.body += k_axis(widest(models)) + f1_axis("best-layer F1, mean over concepts", "[*<0.4:1]") +
                 plot::multiplot(layout, panels);
  return figure;
}

}  // namespace

std::vector<plot::Figure> compare_figures(const std::vector<ComparedModel>& models,
                                          const std::vector<ModelMeasure>& measures, const CompareOptions& options,
                                          std::vector<std::string>& notes) {
  std::vector<plot::Figure> figures;
  const auto add = [&](plot::Figure figure, const char* why_not) {
    if (figure.name.empty()) {
      notes.emplace_back(why_not);
    } else {
      figures.push_back(std::move(figure));
    }
  };
  plot::Figure main_figure = curves(models, measures);
  if (main_figure.name.empty()) {
    notes.emplace_back("no figures: no probe was fitted");
    return {};
  }
  figures.push_back(std::move(main_figure));
  figures.push_back(by_category(models, options));
  add(scatter(models, options), "no concept_scatter: it needs two models with common concepts at that k");
  add(sparsity(models, measures),
      "no sparsity figure: it needs two models with different, known shares of active parameters (option "
      "'active-frac' NAME=SHARE)");
  add(close_experts(models, options), "no experts_per_concept figure: no model has experts");
  add(normalised(models, measures),
      "no curves_normalised figure: published files do not tell how many neurons are active");
  add(controls(models, measures), "no controls figure: published files have no controls");
  return figures;
}

}  // namespace moescope::report
