// Marks and colours: what is left out stays as gnuplot has it, and colours of series can be told apart.
#include "moescope/plot/style.h"

#include <gtest/gtest.h>

#include <set>

#include "moescope/plot/layout.h"

namespace moescope::plot {
namespace {

TEST(PlotStyle, TheFirstEightSeriesHaveColorsOfTheirOwnAndTheNinthRepeats) {
  std::set<std::string> colors;
  for (std::size_t i = 0; i < 8; ++i) colors.insert(series_color(i));
  EXPECT_EQ(colors.size(), 8u);
  EXPECT_STREQ(series_color(8), series_color(0));
}

TEST(PlotStyle, AMarkSaysWhatIsNotZero) {
  EXPECT_EQ((Mark{"filledcurves", 0}).text(), "with filledcurves lc rgb '#0072B2'");
  EXPECT_EQ((Mark{"linespoints", 1, 2, "dt 2", 7, 0.6}).text(),
            "with linespoints lc rgb '#D55E00' lw 2 dt 2 pt 7 ps 0.6");
}

TEST(PlotStyle, AClauseWithoutATitleStandsInNoKey) {
  EXPECT_EQ(clause("k_1", "1:2", {"steps", 6, 2.2}), "$k_1 using 1:2 with steps lc rgb '#000000' lw 2.2 notitle");
  EXPECT_EQ(clause("k_1", "1:2", {"steps", 6}, "it's"), "$k_1 using 1:2 with steps lc rgb '#000000' title 'it''s'");
}

TEST(PlotLayout, FillsRowsAndHasAPlaceEvenForNothing) {
  const auto is = [](std::size_t n_panels, std::size_t most, std::size_t n_rows, std::size_t n_columns) {
    const Layout layout = rows_of_panels(n_panels, most);
    EXPECT_EQ(layout.n_rows, n_rows) << n_panels;
    EXPECT_EQ(layout.n_columns, n_columns) << n_panels;
  };
  is(1, 3, 1, 1);
  is(3, 3, 1, 3);
  is(4, 3, 2, 3);
  is(0, 3, 0, 1);
  EXPECT_EQ(multiplot({1, 2}, "plot x\nplot 2*x\n"), "set multiplot layout 1,2\nplot x\nplot 2*x\nunset multiplot\n");
}

}  // namespace
}  // namespace moescope::plot
