#include "moescope/report/superpose/figures.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/table.h"
#include "moescope/plot/figure.h"
#include "moescope/plot/layout.h"
#include "moescope/plot/script.h"
#include "moescope/plot/style.h"
#include "moescope/run/run_directory.h"

namespace moescope::report {

namespace {

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

struct ShownVariant {
  const char* word;
  const char* title;
};
constexpr std::array kVariants = {ShownVariant{"model", "the model"},
                                  ShownVariant{"random_directions", "random directions"},
                                  ShownVariant{"shuffled_experts", "neurons dealt to experts at random"},
                                  ShownVariant{"rotated_labels", "labels rotated in the text"}};
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
                  const std::string& title, const std::string& y_title, bool with_key) {
  const std::vector<std::string> sets = sets_of(rows);
  std::vector<std::string> clauses;
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
    figure.data += plot::data_block(name, lines);
    clauses.push_back(
        plot::clause(name, "1:2:3:4", {"yerrorbars", v, 1.6, "", 7, 0.8}, with_key ? kVariants[v].title : ""));
  }
  if (clauses.empty()) return "";
  return fmt::format("set title {}\n{}{}{}{}", plot::literal(title), plot::y_axis({.title = y_title}),
                     plot::x_axis({.range = fmt::format("[-0.6:{}]", static_cast<double>(sets.size()) - 0.4),
                                   .tics = "rotate by -35 " + plot::named_tics(sets)}),
                     with_key ? "set key outside bottom center horizontal\n" : "unset key\n",
                     plot::plot_command(clauses));
}

plot::Figure by_set(const std::vector<Row>& rows) {
  plot::Figure figure{"superposition", "", "", 860, 900};
  const std::string upper = panel(figure, rows, "mean_dimensionality",
                                  "How much of a dimension a feature has to itself (1: its own, 1/2: half of one)",
                                  "mean dimensionality D", false);
  const std::string lower =
      panel(figure, rows, "represented_per_effective_dim", "Features per effective dimension (above 1: superposition)",
            "represented features / r", true);
  figure.body = plot::axes(plot::GridLines::kHorizontal) + plot::y_axis({.range = "[0:*]"}) +
                plot::multiplot({2, 1}, upper + lower);
  return figure;
}

plot::Figure by_layer(const std::vector<Row>& rows) {
  plot::Figure figure{"superposition_layers", "", "", 760, 480};
  std::vector<std::string> clauses;
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
    const std::string name = fmt::format("set_{}", s);
    figure.data += plot::data_block(name, lines);
    const plot::Mark mark = {"yerrorlines", s, 1.6, s < 8 ? "" : "dt 2", static_cast<int>(s) + 4, 0.8};
    clauses.push_back(plot::clause(name, "1:2:3:4", mark, sets[s]));
  }
  if (clauses.empty()) return {};
  figure.body = plot::axes(plot::GridLines::kHorizontal) +
                "set title 'Mean dimensionality of features by layer (experts weighted by use)'\n" +
                plot::x_axis({.title = "layer",
                              .range = fmt::format("[{}:{}]", static_cast<double>(*layers.begin()) - 0.3,
                                                   static_cast<double>(*layers.rbegin()) + 0.3),
                              .tics = plot::number_tics(layers)}) +
                plot::y_axis({.title = "mean dimensionality D", .range = "[0:*]"}) + "set key outside right\n" +
                plot::plot_command(clauses);
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
