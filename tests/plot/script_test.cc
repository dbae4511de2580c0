// Pieces of gnuplot's language, as its manual says them, and texts that would break out of them.
#include "moescope/plot/script.h"

#include <gtest/gtest.h>

#include <array>

namespace moescope::plot {
namespace {

TEST(PlotScript, QuotesTextsThatHoldQuotesAndLineEnds) {
  EXPECT_EQ(literal("plain"), "'plain'");
  EXPECT_EQ(literal("it's\nhere"), "'it''s here'");
  EXPECT_EQ(literal(std::string_view("a\0b", 3)), "'a b'");
  EXPECT_EQ(field("two words"), "\"two words\"");
  EXPECT_EQ(field("a \"b\" \\c\r"), "\"a  b   c \"");
}

TEST(PlotScript, WritesBlocksTicsAndCommands) {
  EXPECT_EQ(data_block("k_1", "1 2\n3 4\n"), "$k_1 << EOD\n1 2\n3 4\nEOD\n");
  EXPECT_EQ(plot_command({}), "");
  EXPECT_EQ(plot_command({"x", "$k_1 using 1:2"}), "plot x, \\\n  $k_1 using 1:2\n");
  EXPECT_EQ(named_tics({"code", "it's"}), "('code' 0, 'it''s' 1)");
  EXPECT_EQ(number_tics(std::array{1, 2, 16}), "(1,2,16)");
  EXPECT_EQ(number_tics(std::array{0.5, 2.0}), "(0.5,2)");
}

TEST(PlotScript, AnAxisSaysOnlyWhatItIsGiven) {
  EXPECT_EQ(x_axis({}), "");
  EXPECT_EQ(y_axis({.title = "F1"}), "set ylabel 'F1'\n");
  EXPECT_EQ(x_axis({.title = "k", .range = "[1:64]", .tics = "(1,64)", .log_base = 2}),
            "set logscale x 2\nset xtics (1,64)\nset xrange [1:64]\nset xlabel 'k'\n");
}

}  // namespace
}  // namespace moescope::plot
