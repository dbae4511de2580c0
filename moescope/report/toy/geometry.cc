#include "moescope/report/toy/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "moescope/base/error.h"
#include "moescope/plot/layout.h"
#include "moescope/plot/panels.h"
#include "moescope/plot/script.h"
#include "moescope/plot/style.h"
#include "moescope/stats/superposition.h"

namespace moescope::report {

namespace {

// One expert's feature vectors.
struct Expert {
  std::vector<float> rows;  // [n, m]
  std::vector<stats::FeatureMeasures> features;
  double use = 0;  // share of inputs with an active feature that reach it
};

struct Model {
  const ToyArchitecture* architecture = nullptr;
  double density = 0;
  std::vector<Expert> experts;
  std::string label() const { return fmt::format("{}, density {}", architecture->name, density); }
};

double use_of(const ToyRun& run, std::int64_t instance, std::int64_t expert) {
  for (std::size_t row = 0; run.experts && row < run.experts->n_rows(); ++row) {
    if (run.experts->integer("instance", row) == instance && run.experts->integer("expert", row) == expert) {
      return run.experts->real("use_nonzero", row).value_or(0);
    }
  }
  return 0;
}

// The instance at `row` of instances.csv with its weights.
Model read_model(const ToyRun& run, std::size_t row) {
  Model model;
  model.architecture =
      &run.architectures[static_cast<std::size_t>(run.architecture_idx(run.instances.text("architecture", row)))];
  const ToyArchitecture& a = *model.architecture;
  model.density = run.instances.real("density", row).value();
  const auto instances = run.weights.at(a.name + ".instance").to_vector<std::int64_t>();
  const std::int64_t instance = run.instances.integer("instance", row);
  const auto at = std::find(instances.begin(), instances.end(), instance);
  const auto w = run.weights.at(a.name + ".w").to_vector<float>();
  const auto size = static_cast<std::size_t>(a.n_features * a.n_dims);
  if (at == instances.end() || w.size() != instances.size() * size * static_cast<std::size_t>(a.n_experts)) {
    throw input_error("weights.safetensors lacks instance {} of {}", instance, a.name).at(run.folder.string());
  }
  for (std::int64_t e = 0; e < a.n_experts; ++e) {
    const std::size_t begin =
        (static_cast<std::size_t>(at - instances.begin()) * static_cast<std::size_t>(a.n_experts) +
         static_cast<std::size_t>(e)) *
        size;
    Expert expert;
    expert.rows.assign(w.begin() + static_cast<std::ptrdiff_t>(begin),
                       w.begin() + static_cast<std::ptrdiff_t>(begin + size));
    expert.features = stats::feature_measures({expert.rows, a.n_features, a.n_dims});
    expert.use = use_of(run, instance, e);
    model.experts.push_back(std::move(expert));
  }
  return model;
}

std::string expert_title(const Model& model, std::size_t e) {
  if (model.architecture->n_experts == 1) return "dense";
  return fmt::format("expert {} ({:.0f}% of inputs)", e, 100 * model.experts[e].use);
}

plot::Figure gram_figure(const Model& model) {
  const ToyArchitecture& a = *model.architecture;
  std::vector<plot::HeatPanel> panels;
  for (std::size_t e = 0; e < model.experts.size(); ++e) {
    const std::vector<double> gram = stats::gram_matrix({model.experts[e].rows, a.n_features, a.n_dims});
    plot::HeatPanel panel;
    panel.title = expert_title(model, e);
    panel.x_title = "feature j";
    panel.y_title = "feature i";
    panel.n_rows = panel.n_columns = static_cast<std::size_t>(a.n_features);
    panel.values.assign(gram.begin(), gram.end());
    panel.x_last = panel.y_first = static_cast<double>(a.n_features - 1);
    panel.x_first = panel.y_last = 0;
    // Row 0 on top: rows are given from the bottom.
    std::vector<std::optional<double>> turned;
    for (std::size_t r = panel.n_rows; r-- > 0;) {
      const auto begin = panel.values.begin() + static_cast<std::ptrdiff_t>(r * panel.n_columns);
      turned.insert(turned.end(), begin, begin + static_cast<std::ptrdiff_t>(panel.n_columns));
    }
    panel.values = std::move(turned);
    panel.commands = plot::vertical_line(static_cast<double>(a.n_dims) - 0.5);
    panels.push_back(std::move(panel));
  }
  const std::size_t n_columns = std::min<std::size_t>(panels.size(), 4);
  return plot::heat_figure(
      "gram_" + a.name,
      {"W W^T of every expert: " + model.label(), fmt::format("dashed: behind feature m = {}", a.n_dims)}, panels,
      plot::signed_scale("W_i . W_j"), n_columns, 290, 290);
}

// Only the last panel has the colour box.
const char* color_box(const Model& model, std::size_t e) {
  return e + 1 < model.experts.size() ? "unset colorbox\n" : "set colorbox\n";
}

plot::Figure norm_figure(const Model& model) {
  const ToyArchitecture& a = *model.architecture;
  const plot::Layout layout = plot::rows_of_panels(model.experts.size(), 3);
  plot::Figure figure{"norms_" + a.name, "", "", 400 * static_cast<int>(layout.n_columns) + 90,
                      250 * static_cast<int>(layout.n_rows) + 40};
  std::string panels;
  for (std::size_t e = 0; e < model.experts.size(); ++e) {
    std::string lines;
    for (std::size_t i = 0; i < model.experts[e].features.size(); ++i) {
      const stats::FeatureMeasures& feature = model.experts[e].features[i];
      lines += fmt::format("{} {} {}\n", i, feature.norm, feature.interference);
    }
    const std::string name = fmt::format("norms_{}", e);
    figure.data += plot::data_block(name, lines);
    panels += "set title " + plot::literal(expert_title(model, e)) + "\n" + color_box(model, e) +
              plot::plot_command({plot::box_clause(name)});
  }
  figure.body =
      plot::axes(plot::GridLines::kBoth) + plot::use_scale(plot::share_scale("interference P")) + plot::solid_bars() +
      "unset key\n" +
      plot::x_axis({.title = "feature", .range = fmt::format("[-0.7:{}]", static_cast<double>(a.n_features) - 0.3)}) +
      plot::y_axis({.title = "||W_i||", .range = "[0:1.5]"}) +
      plot::vertical_line(static_cast<double>(a.n_dims) - 0.5) +
      plot::multiplot(
          layout, panels,
          plot::beside_color_box(figure, "Lengths of feature vectors: " + model.label(), {64, 96, 76, 52, 62, 86}));
  return figure;
}

plot::Figure arrow_figure(const Model& model) {
  const ToyArchitecture& a = *model.architecture;
  const plot::Layout layout = plot::rows_of_panels(model.experts.size(), 4);
  plot::Figure figure{"arrows_" + a.name, "", "", 300 * static_cast<int>(layout.n_columns) + 70,
                      300 * static_cast<int>(layout.n_rows) + 40};
  std::string panels;
  for (std::size_t e = 0; e < model.experts.size(); ++e) {
    std::string lines, labels;
    for (std::size_t i = 0; i < model.experts[e].features.size(); ++i) {
      const float x = model.experts[e].rows[2 * i], y = model.experts[e].rows[2 * i + 1];
      const double norm = model.experts[e].features[i].norm;
      lines += fmt::format("0 0 {} {} {}\n", x, y, model.experts[e].features[i].interference);
      if (norm < stats::kRepresentedNorm) continue;
      const double further = 1 + 0.13 / norm;
      labels += fmt::format("{} {} {}\n", static_cast<double>(x) * further, static_cast<double>(y) * further, i);
    }
    const std::string arrows = fmt::format("arrows_{}", e), numbers = fmt::format("labels_{}", e);
    figure.data += plot::data_block(arrows, lines) + plot::data_block(numbers, labels.empty() ? "NaN NaN 0\n" : labels);
    panels += "set title " + plot::literal(expert_title(model, e)) + "\n" + color_box(model, e) +
              plot::plot_command({plot::arrow_clause(arrows), plot::text_clause(numbers, "1:2:3")});
  }
  figure.body = plot::plane() + plot::use_scale(plot::share_scale("interference P")) + "set cbtics\nunset key\n" +
                plot::x_axis({.range = "[-1.4:1.4]"}) + plot::y_axis({.range = "[-1.4:1.4]"}) +
                plot::multiplot(layout, panels,
                                plot::beside_color_box(figure, "Feature vectors (circle: length 1): " + model.label(),
                                                       {14, 96, 70, 14, 16, 36}));
  return figure;
}

void add_numbers(const ToyRun& run, ToyPage& page) {
  for (const ToyArchitecture& a : run.architectures) {
    std::set<double> densities;
    for (std::size_t row = 0; row < run.instances.n_rows(); ++row) {
      if (run.instances.text("architecture", row) == a.name) densities.insert(*run.instances.real("density", row));
    }
    for (const double density : densities) {
      for (const char* column :
           {"held_out_loss", "fpd_published", "fpd_represented", "mean_dimensionality", "features_explained",
            "n_represented", "n_monosemantic", "n_monosemantic_distinct", "n_monosemantic_published"}) {
        std::vector<double> values;
        for (std::size_t row = 0; row < run.instances.n_rows(); ++row) {
          if (run.instances.text("architecture", row) != a.name || run.instances.real("density", row) != density) {
            continue;
          }
          if (const auto value = run.instances.real(column, row)) values.push_back(*value);
        }
        if (const auto number = mean_number(column, a.name, density, values)) page.numbers.push_back(*number);
      }
    }
  }
}

}  // namespace

void add_geometry(const ToyRun& run, ToyPage& page) {
  add_numbers(run, page);
  std::set<std::string> drawn;  // one density an architecture: file names
  for (std::size_t row = 0; row < run.instances.n_rows(); ++row) {
    if (run.instances.text("status", row) != "ok" || run.instances.integer("best_held_out", row) != 1) continue;
    if (!drawn.insert(run.instances.text("architecture", row)).second) continue;
    const Model model = read_model(run, row);
    page.figures.push_back(gram_figure(model));
    page.figures.push_back(norm_figure(model));
    if (model.architecture->n_dims == 2) page.figures.push_back(arrow_figure(model));
  }
}

}  // namespace moescope::report
