#include "moescope/plot/panels.h"

#include <fmt/format.h>

#include <algorithm>

#include "moescope/plot/script.h"

namespace moescope::plot {

namespace {

std::string number(const std::optional<double>& value) { return value ? fmt::format("{}", *value) : "NaN"; }

// How a curve is drawn.
Mark mark_of(const Curve& curve) {
  return {"linespoints", curve.color, 2, curve.dashed ? "dt 2" : "", curve.dashed ? 6 : 7, 0.55};
}

// How values of categories are drawn, with their intervals along the horizontal axis.
Mark category_mark(const Curve& curve) { return {"xerrorbars", curve.color, 1.6, "", 7, 0.7}; }

// A panel of categories: points with intervals, curves a little above one another.
std::string category_commands(Figure& figure, const CurvePanel& panel, std::size_t panel_idx) {
  const auto n = static_cast<double>(panel.categories.size()), n_curves = static_cast<double>(panel.curves.size());
  std::vector<std::string> clauses;
  for (std::size_t c = 0; c < panel.curves.size(); ++c) {
    const double shift = n_curves > 1 ? 0.6 * (static_cast<double>(c) / (n_curves - 1) - 0.5) : 0;
    std::string lines;
    for (const CurvePoint& p : panel.curves[c].points) {
      lines += fmt::format("{} {} {} {}\n", p.value, p.x + shift, p.low, p.high);
    }
    const std::string name = fmt::format("curve_{}_{}", panel_idx, c);
    figure.data += data_block(name, lines.empty() ? "NaN NaN NaN NaN\n" : lines);
    clauses.push_back(clause(name, "1:2:3:4", category_mark(panel.curves[c])));
  }
  return fmt::format("set ytics {}\nset yrange [{}:-0.6]\n{}", named_tics(panel.categories), n - 0.4,
                     plot_command(clauses));
}

// A panel of curves: bands under them.
std::string curve_commands(Figure& figure, const CurvePanel& panel, std::size_t panel_idx) {
  std::vector<std::string> clauses, curves;
  for (std::size_t c = 0; c < panel.curves.size(); ++c) {
    const Curve& curve = panel.curves[c];
    std::string lines;
    for (const CurvePoint& p : curve.points) lines += fmt::format("{} {} {} {}\n", p.x, p.value, p.low, p.high);
    if (lines.empty()) lines = "NaN NaN NaN NaN\n";  // keeps its place in the key
    const std::string name = fmt::format("curve_{}_{}", panel_idx, c);
    figure.data += data_block(name, lines);
    clauses.push_back(clause(name, "1:3:4", band_mark(curve.color)));
    curves.push_back(clause(name, "1:2", mark_of(curve)));
  }
  clauses.insert(clauses.end(), curves.begin(), curves.end());
  return plot_command(clauses);
}

// Points of room for the axis: a title and numbers, or the longest category.
double left_margin(const CurvePanel& panel) {
  std::size_t longest = 0;
  for (const std::string& category : panel.categories) longest = std::max(longest, category.size());
  return panel.categories.empty() ? 66 : 18 + 8.2 * static_cast<double>(longest);
}

// A plot of nothing over the whole width that carries the key: inside a panel the key would be as narrow as the panel.
std::string key_of(const CurvePanel& panel, std::size_t per_row, double middle) {
  std::vector<std::string> clauses;
  for (const Curve& curve : panel.curves) {
    clauses.push_back(panel.categories.empty()
                          ? fmt::format("NaN {} title {}", mark_of(curve).text(), literal(curve.title))
                          : clause("nothing", "1:2:3:4", category_mark(curve), curve.title));
  }
  return fmt::format(
      "set lmargin at screen 0.01\nset rmargin at screen 0.99\nset bmargin at screen 0.001\nset tmargin at screen {}\n"
      "unset border\nunset tics\nunset title\nunset xlabel\nunset ylabel\nunset grid\nunset logscale\nunset arrow\n"
      "set xrange [0:1]\nset yrange [0:1]\nset key at screen 0.5, screen {} center center horizontal maxcols {} "
      "samplen "
      "2\n{}",
      2 * middle, middle, per_row, plot_command(clauses));
}

}  // namespace

Figure curve_figure(const std::string& name, const std::string& title, const std::vector<CurvePanel>& panels,
                    std::size_t n_columns, int panel_width, int panel_height) {
  const std::size_t n_rows = (panels.size() + n_columns - 1) / n_columns;
  std::size_t widest = 0;
  for (std::size_t p = 1; p < panels.size(); ++p) {
    if (panels[p].curves.size() > panels[widest].curves.size()) widest = p;
  }
  std::size_t longest = 1;
  for (const Curve& curve : panels[widest].curves) longest = std::max(longest, curve.title.size());
  const int width = panel_width * static_cast<int>(n_columns);
  // Titles of the key stand in columns; a letter takes about 7 points.
  const auto per_row = static_cast<std::size_t>(std::max(1, (width - 40) / static_cast<int>(longest * 7 + 50)));
  const std::size_t n_key_rows = (panels[widest].curves.size() + per_row - 1) / per_row;
  const int head = title.empty() ? 0 : 34, foot = 20 * static_cast<int>(n_key_rows) + 14;
  const int height = panel_height * static_cast<int>(n_rows) + head + foot;
  Figure figure{name, axes(GridLines::kBoth) + translucent_bands(), "", width, height};
  if (!title.empty()) {
    figure.body += fmt::format("set label 1000 {} at screen 0.5, screen {} center font ',13'\n", literal(title),
                               1 - 17.0 / height);
  }
  figure.body += "set multiplot\nunset key\n";
  for (std::size_t p = 0; p < panels.size(); ++p) {
    const CurvePanel& panel = panels[p];
    const auto column = static_cast<double>(p % n_columns), row = static_cast<double>(p / n_columns);
    const double left = (panel_width * column + left_margin(panel)) / width,
                 right = (panel_width * (column + 1) - 16) / width;
    const double top = 1 - (head + panel_height * row + 30) / height;
    const double bottom = 1 - (head + panel_height * (row + 1) - 50) / height;
    figure.body += fmt::format(
        "set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen {}\nset bmargin at screen {}\n",
        left, right, top, bottom);
    figure.body += fmt::format("set title {} offset 0,-0.4\nset xlabel {} offset 0,0.4\nset ylabel {} offset 1,0\n",
                               literal(panel.title), literal(panel.x_title), literal(panel.y_title));
    figure.body += panel.log_x ? "set logscale x\n" : "unset logscale x\n";
    figure.body += panel.log_y ? "set logscale y\n" : "unset logscale y\n";
    figure.body += "set xrange [*:*]\nset yrange [*:*]\nset xtics autofreq\nset ytics autofreq\nunset arrow\n" +
                   panel.commands +
                   (panel.categories.empty() ? curve_commands(figure, panel, p) : category_commands(figure, panel, p));
    figure.body += "unset label 1000\n";
  }
  figure.data += data_block("nothing", "NaN NaN NaN NaN\n");
  figure.body += key_of(panels[widest], per_row, foot / 2.0 / height) + "unset multiplot\n";
  return figure;
}

Figure heat_figure(const std::string& name, const std::vector<std::string>& header,
                   const std::vector<HeatPanel>& panels, const ColorScale& scale, std::size_t n_columns,
                   int panel_width, int panel_height) {
  const std::size_t n_rows = (panels.size() + n_columns - 1) / n_columns;
  constexpr int kBox = 150;
  const int head = 16 + 22 * static_cast<int>(header.size());
  const int width = panel_width * static_cast<int>(n_columns) + kBox;
  const int height = panel_height * static_cast<int>(n_rows) + head;
  Figure figure{name, "", "", width, height};
  figure.body = fmt::format(
      "set border 31 lc rgb '#888888'\nset tics nomirror out scale 0.5 textcolor rgb '#333333'\n{}"
      "set object 1000 rectangle from graph 0,0 to graph 1,1 behind fillcolor rgb '#bbbbbb' fillstyle solid noborder\n",
      use_scale(scale));
  for (std::size_t line = 0; line < header.size(); ++line) {
    figure.body +=
        fmt::format("set label {} {} at screen 0.5, screen {} center font ',{}'\n", 1000 + line, literal(header[line]),
                    1 - (18.0 + 22.0 * static_cast<double>(line)) / height, line == 0 ? 13 : 10);
  }
  figure.body += "set multiplot\nunset key\n";
  std::size_t last = panels.size();
  while (last > 0 && panels[last - 1].n_rows == 0) --last;
  for (std::size_t p = 0; p < last; ++p) {
    const HeatPanel& panel = panels[p];
    if (panel.n_rows == 0) continue;
    const double dx =
        panel.n_columns > 1 ? (panel.x_last - panel.x_first) / static_cast<double>(panel.n_columns - 1) : 1;
    const double dy = panel.n_rows > 1 ? (panel.y_last - panel.y_first) / static_cast<double>(panel.n_rows - 1) : 1;
    std::string lines;
    for (std::size_t r = 0; r < panel.n_rows; ++r) {
      for (std::size_t c = 0; c < panel.n_columns; ++c) {
        lines +=
            fmt::format("{} {} {}\n", panel.x_first + dx * static_cast<double>(c),
                        panel.y_first + dy * static_cast<double>(r), number(panel.values[r * panel.n_columns + c]));
      }
    }
    figure.data += data_block(fmt::format("heat_{}", p), lines);
    const auto column = static_cast<double>(p % n_columns), row = static_cast<double>(p / n_columns);
    figure.body += fmt::format(
        "set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen {}\nset bmargin at screen {}\n",
        (panel_width * column + 58) / width, (panel_width * (column + 1) - 14) / width,
        1 - (head + panel_height * row + 26) / height, 1 - (head + panel_height * (row + 1) - 44) / height);
    figure.body += p + 1 == last
                       ? fmt::format("set colorbox user origin {}, {} size {}, {}\n", 1 - (kBox - 12.0) / width,
                                     44.0 / height, 14.0 / width, std::min(0.6, 300.0 / height))
                       : "unset colorbox\n";
    figure.body += fmt::format("set title {} offset 0,-0.5\nset xlabel {} offset 0,0.5\nset ylabel {} offset 1.2,0\n",
                               literal(panel.title), literal(panel.x_title), literal(panel.y_title));
    figure.body += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\nunset arrow\n{}", panel.x_first - dx / 2,
                               panel.x_last + dx / 2, panel.y_first - dy / 2, panel.y_last + dy / 2, panel.commands);
    figure.body += fmt::format("plot $heat_{} using 1:2:3 with image notitle\n", p);
    figure.body += "unset label\n";
  }
  figure.body += "unset multiplot\n";
  return figure;
}

}  // namespace moescope::plot
