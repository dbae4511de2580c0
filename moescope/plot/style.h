// How figures look: colours, greys, grids, and the marks that data is drawn with. Nothing outside this room names a
// colour, a font or a width of a line.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace moescope::plot {

// Colours that people with any kind of colour vision tell apart (Okabe, Ito 2008), by number; repeats after 8.
const char* series_color(std::size_t idx);

enum class GridLines { kHorizontal, kBoth };
// Thin grey axes left and below, and a light grid.
std::string axes(GridLines lines);
// Adds the vertical lines to a grid of horizontal ones, for one panel.
const char* vertical_grid_lines();
// A plane without borders: its two axes through the origin, equal units on both, and the unit circle.
std::string plane();

// How areas are filled from here on: bands that show what lies beneath, or bars.
const char* translucent_bands();
const char* solid_bars();

// A dashed line over everything, at x; one a panel.
std::string vertical_line(double x);

// The title of a panel, a little smaller than gnuplot's, for long ones.
std::string small_title(const std::string& title);

// How data is drawn: gnuplot's word, then what is not 0 or empty.
struct Mark {
  const char* with = "points";
  std::size_t color = 0;  // of series_color
  double line_width = 0;
  const char* dash = "";  // "dt 2"
  int point = 0;          // its form
  double point_size = 0;

  std::string text() const;  // "with points lc rgb ..."
};
// A curve of points (columns x, value) and the band of its interval, drawn before it (columns x, low, high).
Mark curve_mark(std::size_t color, const char* dash = "");
Mark band_mark(std::size_t color);

// A clause of the plot command: the columns `columns` ("1:2") of the block $DATA. An empty title stands in no key.
std::string clause(const std::string& data, const char* columns, const Mark& mark, const std::string& title = "");
// Small grey texts at places: columns x, y, text. `placement`: gnuplot's ("left offset 0.7,0").
std::string text_clause(const std::string& data, const std::string& columns, const std::string& placement = "");
// Boxes (columns x, height, number) or arrows (x, y, their lengths along both, number) in the colours of a scale.
std::string box_clause(const std::string& data);
std::string arrow_clause(const std::string& data);
// The line of equal x and y.
const char* diagonal_clause();

// Colours of numbers.
struct ColorScale {
  double low = 0, high = 1;
  std::string palette;    // the argument of `set palette`
  std::string box_title;  // of the colour box
  std::string box_tics;   // the argument of `set cbtics`; empty: gnuplot's
};
// White, blue, red for 0, 1, 2.
ColorScale class_scale(const std::array<const char*, 3>& names);
// Blue -1, white 0, red 1.
ColorScale signed_scale(const std::string& box_title);
// 0 blue, over green and yellow to red 1.
ColorScale share_scale(const std::string& box_title);
std::string use_scale(const ColorScale& scale);

}  // namespace moescope::plot
