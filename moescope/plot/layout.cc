#include "moescope/plot/layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "moescope/plot/script.h"

namespace moescope::plot {

Layout rows_of_panels(std::size_t n_panels, std::size_t most_columns) {
  const std::size_t n_columns = std::max<std::size_t>(1, std::min(n_panels, most_columns));
  return {(n_panels + n_columns - 1) / n_columns, n_columns};
}

std::string multiplot(const Layout& layout, const std::string& panels, const std::string& options) {
  return fmt::format("set multiplot layout {},{}{}{}\n{}unset multiplot\n", layout.n_rows, layout.n_columns,
                     options.empty() ? "" : " ", options, panels);
}

std::string beside_color_box(const Figure& figure, const std::string& title, const Margins& margins) {
  const auto width = static_cast<double>(figure.width), height = static_cast<double>(figure.height);
  return fmt::format("title {} margins {},{},{},{} spacing {},{}\nset colorbox user origin {},{} size {},{}",
                     literal(title), margins.left / width, 1 - margins.right / width, margins.bottom / height,
                     1 - margins.top / height, margins.across / width, margins.down / height,
                     1 - (margins.right - 22) / width, margins.bottom / height, 14 / width,
                     1 - (margins.top + margins.bottom) / height);
}

}  // namespace moescope::plot
