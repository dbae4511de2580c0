#include "moescope/report/superpose/figures.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/table.h"
#include "moescope/plot/gnuplot.h"
#include "moescope/run/run_directory.h"

namespace moescope::report {

namespace {

const char* const kStyle =
    "set border 3 lc rgb '#888888'\nset tics nomirror textcolor rgb '#333333'\n"
    "set grid ytics lc rgb '#e4e4e4' lw 0.7\n";

struct Row {
  std::optional<std::int64_t> layer;
  std::string set, variant, measure;
  double value = 0, low = 0, high = 0;
};

// Rows of values, not of differences.
std::vector<Row> read_summary(const std::filesystem::path& path) {
  const io::Table table = io::read_csv(path, {{{"layer", io::IntColumn()},
                                               {"set", io::TextColumn()},
                                               {"variant", io::TextColumn()},
                                               {"against", io::TextColumn()},
                                               {"measure", io::TextColumn()},
                                               {"value", io::RealColumn()},
                                               {"low", io::RealColumn()},
                                               {"high", io::RealColumn()},
                                               {"n_experts", io::IntColumn()},
                                               {"status", io::TextColumn()}}});
  const auto text = [&](const char* name, std::size_t row) {
    return std::get<io::TextColumn>(table.at(name).values)[row].value_or("");
  };
  const auto real = [&](const char* name, std::size_t row) {
    return std::get<io::RealColumn>(table.at(name).values)[row];
  };
  std::vector<Row> rows;
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    if (!text("against", row).empty()) continue;
    const std::optional<double> value = real("value", row);
    if (!value) throw input_error("row {} has no value", row + 1).at(path.string());
    rows.push_back({std::get<io::IntColumn>(table.at("layer").values)[row], text("set", row), text("variant", row),
                    text("measure", row), *value, real("low", row).value_or(*value),
                    real("high", row).value_or(*value)});
  }
  return rows;
}

struct Variant {
  const char* word;
  const char* title;
};
constexpr std::array kVariants = {Variant{"model", "the model"}, Variant{"random_directions", "random directions"},
                                  Variant{"shuffled_experts", "neurons dealt to experts at random"},
                                  Variant{"rotated_labels", "labels rotated in the text"}};
// In the order of the page: what neurons read and write, token features, features from text.
constexpr std::array kSets = {"neurons_gate",  "neurons_up",       "neurons_down",   "embedding_gate",
                              "embedding_up",  "unembedding_gate", "unembedding_up", "unembedding_down",
                              "tokens_active", "concepts_active"};

std::vector<std::string> sets_of(const std::vector<Row>& rows) {
  std::vector<std::string> sets;
  for (const char* name : kSets) {
    if (std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.set == name; })) sets.emplace_back(name);
  }
  return sets;
}

// One panel: a measure over all sets, one group of points a set.
std::string panel(plot::Figure& figure, const std::vector<Row>& rows, const std::string& measure,
                  const std::string& title, const std::string& axis, bool with_key) {
  const std::vector<std::string> sets = sets_of(rows);
  std::string tics, clauses;
  for (std::size_t s = 0; s < sets.size(); ++s) {
    tics += fmt::format("{}{} {}", s == 0 ? "" : ", ", plot::gnuplot_quote(sets[s]), s);
  }
  for (std::size_t v = 0; v < kVariants.size(); ++v) {
    std::string lines;
    for (const Row& row : rows) {
      if (row.layer || row.measure != measure || row.variant != kVariants[v].word) continue;
      const auto place = static_cast<double>(std::find(sets.begin(), sets.end(), row.set) - sets.begin());
      lines +=
          fmt::format("{} {} {} {}\n", place + 0.15 * (static_cast<double>(v) - 1.5), row.value, row.low, row.high);
    }
    if (lines.empty()) continue;
    const std::string name = fmt::format("{}_{}", measure, v);
    figure.data += "$" + name + " << EOD\n" + lines + "EOD\n";
    clauses += fmt::format("{}${} using 1:2:3:4 with yerrorbars pt 7 ps 0.8 lw 1.6 lc rgb '{}' {}",
                           clauses.empty() ? "" : ", \\\n  ", name, plot::figure_color(v),
                           with_key ? "title " + plot::gnuplot_quote(kVariants[v].title) : "notitle");
  }
  if (clauses.empty()) return "";
  return fmt::format("set title {}\nset ylabel {}\nset xtics rotate by -35 ({})\nset xrange [-0.6:{}]\n{}plot {}\n",
                     plot::gnuplot_quote(title), plot::gnuplot_quote(axis), tics,
                     static_cast<double>(sets.size()) - 0.4,
                     with_key ? "set key outside bottom center horizontal\n" : "unset key\n", clauses);
}

plot::Figure by_set(const std::vector<Row>& rows) {
  plot::Figure figure{"superposition", "", "", 860, 900};
  const std::string upper = panel(figure, rows, "mean_dimensionality",
                                  "How much of a dimension a feature has to itself (1: its own, 1/2: half of one)",
                                  "mean dimensionality D", false);
  const std::string lower =
      panel(figure, rows, "represented_per_effective_dim", "Features per effective dimension (above 1: superposition)",
            "represented features / r", true);
  figure.body =
      std::string(kStyle) + "set yrange [0:*]\nset multiplot layout 2,1\n" + upper + lower + "unset multiplot\n";
  return figure;
}

plot::Figure by_layer(const std::vector<Row>& rows) {
  plot::Figure figure{"superposition_layers", "", "", 760, 480};
  std::string clauses, tics;
  std::set<std::int64_t> layers;
  const std::vector<std::string> sets = sets_of(rows);
  for (std::size_t s = 0; s < sets.size(); ++s) {
    std::string lines;
    for (const Row& row : rows) {
      if (!row.layer || row.variant != "model" || row.measure != "mean_dimensionality" || row.set != sets[s]) continue;
      lines += fmt::format("{} {} {} {}\n", *row.layer, row.value, row.low, row.high);
      layers.insert(*row.layer);
    }
    if (lines.empty()) continue;
    figure.data += fmt::format("$set_{} << EOD\n{}EOD\n", s, lines);
    clauses += fmt::format("{}$set_{} using 1:2:3:4 with yerrorlines pt {} ps 0.8 lw 1.6 {} lc rgb '{}' title {}",
                           clauses.empty() ? "" : ", \\\n  ", s, s + 4, s < 8 ? "" : "dt 2", plot::figure_color(s),
                           plot::gnuplot_quote(sets[s]));
  }
  if (clauses.empty()) return {};
  for (const std::int64_t layer : layers) tics += fmt::format("{}{}", tics.empty() ? "" : ",", layer);
  figure.body =
      std::string(kStyle) + fmt::format(
                                "set title 'Mean dimensionality of features by layer (experts weighted by use)'\n"
                                "set xlabel 'layer'\nset ylabel 'mean dimensionality D'\nset yrange [0:*]\n"
                                "set xtics ({})\nset xrange [{}:{}]\nset key outside right\nplot {}\n",
                                tics, static_cast<double>(*layers.begin()) - 0.3,
                                static_cast<double>(*layers.rbegin()) + 0.3, clauses);
  return figure;
}

}  // namespace

void draw_superpose_figures(const std::filesystem::path& folder) {
  run::begin_step(folder);
  const std::vector<Row> rows = read_summary(folder / "summary.csv");
  for (const plot::Figure& figure : {by_set(rows), by_layer(rows)}) {
    if (!figure.name.empty()) plot::draw(folder, figure);
  }
  run::finish_step(folder);
}

}  // namespace moescope::report
