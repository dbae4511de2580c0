// Figures of panels that are placed to the point, with one key or one colour box for all of them: curves with bands,
// values by category, heat maps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/plot/figure.h"
#include "moescope/plot/style.h"

namespace moescope::plot {

struct CurvePoint {
  double x = 0, value = 0, low = 0, high = 0;
};

struct Curve {
  std::string title;
  std::size_t color = 0;  // of series_color
  std::vector<CurvePoint> points;
  bool dashed = false;
};

struct CurvePanel {
  std::string title, x_title, y_title;
  std::vector<Curve> curves;
  bool log_x = false, log_y = false;
  std::string commands;  // more, before the plot: ranges, lines, tics
  // Not empty: x of a point is the place of a category, categories stand below one another on the vertical axis, and
  // values lie along the horizontal one as points that no line joins.
  std::vector<std::string> categories = {};
};

// Panels in rows of n_columns; the key stands below the last row, once, with the titles of the first panel that has
// them all. `size`: of a panel in points.
Figure curve_figure(const std::string& name, const std::string& title, const std::vector<CurvePanel>& panels,
                    std::size_t n_columns, int panel_width, int panel_height);

// Values row by row from the bottom; absent cells are grey.
struct HeatPanel {
  std::string title, x_title, y_title;
  std::size_t n_rows = 0, n_columns = 0;
  std::vector<std::optional<double>> values;  // [n_rows, n_columns]
  // Coordinates of the first and the last column and row (centres of cells).
  double x_first = 0, x_last = 1, y_first = 0, y_last = 1;
  std::string commands = {};  // more, before the plot
};

// One colour box at the right of the whole figure. `header`: lines above all panels. A panel without rows leaves its
// place empty.
Figure heat_figure(const std::string& name, const std::vector<std::string>& header,
                   const std::vector<HeatPanel>& panels, const ColorScale& scale, std::size_t n_columns,
                   int panel_width, int panel_height);

}  // namespace moescope::plot
