// Several panels of one size in a figure, laid out by gnuplot. panels.h places panels of curves and of heat maps
// itself.
#pragma once

#include <cstddef>
#include <string>

#include "moescope/plot/figure.h"

namespace moescope::plot {

struct Layout {
  std::size_t n_rows = 1, n_columns = 1;
};
// Rows of at most `most_columns` panels.
Layout rows_of_panels(std::size_t n_panels, std::size_t most_columns);

// `panels`: the commands of all panels, row by row. `options`: of `set multiplot`, and commands after it.
std::string multiplot(const Layout& layout, const std::string& panels, const std::string& options = "");

// Points around the panels of a figure and between them.
struct Margins {
  int left = 0, right = 0, top = 0, bottom = 0, across = 0, down = 0;
};
// Options of a multiplot with a title whose panels all have one size, and one colour box in the right margin.
std::string beside_color_box(const Figure& figure, const std::string& title, const Margins& margins);

}  // namespace moescope::plot
