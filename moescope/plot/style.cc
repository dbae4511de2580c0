#include "moescope/plot/style.h"

#include <fmt/format.h>

#include "moescope/plot/script.h"

namespace moescope::plot {

const char* series_color(std::size_t idx) {
  constexpr std::array kColors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                  "#E69F00", "#56B4E9", "#000000", "#999933"};
  return kColors[idx % kColors.size()];
}

std::string axes(GridLines lines) {
  return fmt::format(
      "set border 3 lc rgb '#888888'\nset tics nomirror textcolor rgb '#333333'\n"
      "set grid {}lc rgb '#e4e4e4' lw 0.7\n",
      lines == GridLines::kHorizontal ? "ytics " : "");
}

const char* vertical_grid_lines() { return "set grid xtics lc rgb '#e4e4e4' lw 0.7\n"; }

std::string plane() {
  return "set border 0\nset zeroaxis lc rgb '#cccccc'\nset size ratio -1\nunset tics\n"
         "set object 1 circle at 0,0 size 1 fs empty border lc rgb '#dddddd'\n";
}

const char* translucent_bands() { return "set style fill transparent solid 0.16 noborder\n"; }

const char* solid_bars() { return "set style fill solid 0.9 noborder\nset boxwidth 0.85\n"; }

std::string vertical_line(double x) {
  return fmt::format("set arrow 1 from {0}, graph 0 to {0}, graph 1 nohead front lc rgb '#444444' dt 2\n", x);
}

std::string small_title(const std::string& title) {
  return fmt::format("set title {} offset 0,-0.5 font ',9'\n", literal(title));
}

std::string Mark::text() const {
  std::string words = fmt::format("with {} lc rgb '{}'", with, series_color(color));
  if (line_width > 0) words += fmt::format(" lw {}", line_width);
  if (*dash != '\0') words += fmt::format(" {}", dash);
  if (point > 0) words += fmt::format(" pt {}", point);
  if (point_size > 0) words += fmt::format(" ps {}", point_size);
  return words;
}

Mark curve_mark(std::size_t color, const char* dash) { return {"linespoints", color, 2, dash, 7, 0.6}; }

Mark band_mark(std::size_t color) { return {"filledcurves", color}; }

std::string clause(const std::string& data, const char* columns, const Mark& mark, const std::string& title) {
  return fmt::format("${} using {} {} {}", data, columns, mark.text(),
                     title.empty() ? "notitle" : "title " + literal(title));
}

std::string text_clause(const std::string& data, const std::string& columns, const std::string& placement) {
  return fmt::format("${} using {} with labels {}{}font ',8' textcolor rgb '#555555' notitle", data, columns, placement,
                     placement.empty() ? "" : " ");
}

std::string box_clause(const std::string& data) {
  return fmt::format("${} using 1:2:3 with boxes lc palette notitle", data);
}

std::string arrow_clause(const std::string& data) {
  return fmt::format("${} using 1:2:3:4:5 with vectors filled head size 0.09,18 lw 1.8 lc palette notitle", data);
}

const char* diagonal_clause() { return "x with lines lc rgb '#bbbbbb' dt 2 notitle"; }

ColorScale class_scale(const std::array<const char*, 3>& names) {
  return {-0.5, 2.5, "maxcolors 3 defined (0 '#ffffff', 1 '#4477cc', 2 '#cc3333')", "",
          named_tics({names.begin(), names.end()})};
}

ColorScale signed_scale(const std::string& box_title) {
  return {-1, 1, "defined (-1 '#2166ac', -0.5 '#92c5de', 0 '#ffffff', 0.5 '#f4a582', 1 '#b2182b')", box_title,
          "-1,0.5,1"};
}

ColorScale share_scale(const std::string& box_title) {
  return {0, 1, "defined (0 '#2c7fb8', 0.2 '#7fcdbb', 0.5 '#fecc5c', 1 '#bd0026')", box_title, ""};
}

std::string use_scale(const ColorScale& scale) {
  return fmt::format("set palette {}\nset cbrange [{}:{}]\nset cblabel {}\n{}", scale.palette, scale.low, scale.high,
                     literal(scale.box_title), scale.box_tics.empty() ? "" : "set cbtics " + scale.box_tics + "\n");
}

}  // namespace moescope::plot
