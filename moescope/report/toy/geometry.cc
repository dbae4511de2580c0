#include "moescope/report/toy/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "moescope/base/error.h"
#include "moescope/plot/panels.h"
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
    const double m = static_cast<double>(a.n_dims) - 0.5;
    panel.commands =
        fmt::format("set arrow 1 from {0}, graph 0 to {0}, graph 1 nohead front lc rgb '#444444' dt 2\n", m);
    panels.push_back(std::move(panel));
  }
  const std::size_t n_columns = std::min<std::size_t>(panels.size(), 4);
  return plot::heat_figure(
      "gram_" + a.name,
      {"W W^T of every expert: " + model.label(), fmt::format("dashed: behind feature m = {}", a.n_dims)}, panels,
      plot::signed_scale("W_i . W_j"), n_columns, 290, 290);
}

const char* const kInterferencePalette = "defined (0 '#2c7fb8', 0.2 '#7fcdbb', 0.5 '#fecc5c', 1 '#bd0026')";

// Fixed margins of a multiplot and a colour box beside it, so that all panels have one size. Points: left, right, top,
// bottom, between columns, between rows.
std::string places(const plot::Figure& figure, int left, int right, int top, int bottom, int across, int down) {
  const auto width = static_cast<double>(figure.width), height = static_cast<double>(figure.height);
  return fmt::format("margins {},{},{},{} spacing {},{}\nset colorbox user origin {},{} size {},{}", left / width,
                     1 - right / width, bottom / height, 1 - top / height, across / width, down / height,
                     1 - (right - 22) / width, bottom / height, 14 / width, 1 - (top + bottom) / height);
}

plot::Figure norm_figure(const Model& model) {
  const ToyArchitecture& a = *model.architecture;
  const auto n_columns = static_cast<int>(std::min<std::size_t>(model.experts.size(), 3));
  const int n_rows = (static_cast<int>(model.experts.size()) + n_columns - 1) / n_columns;
  plot::Figure figure{"norms_" + a.name, "", "", 400 * n_columns + 90, 250 * n_rows + 40};
  figure.body =
      std::string(plot::toy_style()) +
      fmt::format(
          "set palette {}\nset cbrange [0:1]\nset cblabel 'interference P'\n"
          "set style fill solid 0.9 noborder\nset boxwidth 0.85\nunset key\nset xlabel 'feature'\n"
          "set ylabel '||W_i||'\nset yrange [0:1.5]\nset xrange [-0.7:{}]\n"
          "set arrow 1 from {}, graph 0 to {}, graph 1 nohead front lc rgb '#444444' dt 2\n"
          "set multiplot layout {},{} title {} {}\n",
          kInterferencePalette, static_cast<double>(a.n_features) - 0.3, static_cast<double>(a.n_dims) - 0.5,
          static_cast<double>(a.n_dims) - 0.5, n_rows, n_columns,
          plot::gnuplot_quote("Lengths of feature vectors: " + model.label()), places(figure, 64, 96, 76, 52, 62, 86));
  for (std::size_t e = 0; e < model.experts.size(); ++e) {
    std::string lines;
    for (std::size_t i = 0; i < model.experts[e].features.size(); ++i) {
      const stats::FeatureMeasures& feature = model.experts[e].features[i];
      lines += fmt::format("{} {} {}\n", i, feature.norm, feature.interference);
    }
    figure.data += fmt::format("$norms_{} << EOD\n{}EOD\n", e, lines);
    figure.body += fmt::format("set title {}\n{}plot $norms_{} using 1:2:3 with boxes lc palette\n",
                               plot::gnuplot_quote(expert_title(model, e)),
                               e + 1 < model.experts.size() ? "unset colorbox\n" : "set colorbox\n", e);
  }
  figure.body += "unset multiplot\n";
  return figure;
}

plot::Figure arrow_figure(const Model& model) {
  const ToyArchitecture& a = *model.architecture;
  const auto n_columns = static_cast<int>(std::min<std::size_t>(model.experts.size(), 4));
  const int n_rows = (static_cast<int>(model.experts.size()) + n_columns - 1) / n_columns;
  plot::Figure figure{"arrows_" + a.name, "", "", 300 * n_columns + 70, 300 * n_rows + 40};
  figure.body = fmt::format(
      "set border 0\nset zeroaxis lc rgb '#cccccc'\nset size ratio -1\nunset key\nunset tics\nset xrange [-1.4:1.4]\n"
      "set yrange [-1.4:1.4]\nset palette {}\nset cbrange [0:1]\nset cblabel 'interference P'\nset cbtics\n"
      "set object 1 circle at 0,0 size 1 fs empty border lc rgb '#dddddd'\nset multiplot layout {},{} title {} {}\n",
      kInterferencePalette, n_rows, n_columns,
      plot::gnuplot_quote("Feature vectors (circle: length 1): " + model.label()),
      places(figure, 14, 96, 70, 14, 16, 36));
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
    figure.data += fmt::format("$arrows_{} << EOD\n{}EOD\n$labels_{} << EOD\n{}EOD\n", e, lines, e,
                               labels.empty() ? "NaN NaN 0\n" : labels);
    figure.body += fmt::format(
        "set title {}\n{}plot $arrows_{} using 1:2:3:4:5 with vectors filled head size 0.09,18 lw 1.8 lc palette, "
        "$labels_{} using 1:2:3 with labels font ',8' textcolor rgb '#555555'\n",
        plot::gnuplot_quote(expert_title(model, e)),
        e + 1 < model.experts.size() ? "unset colorbox\n" : "set colorbox\n", e, e);
  }
  figure.body += "unset multiplot\n";
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
