// Figures as files: what gnuplot draws, what stays behind, and what is said when it does not draw.
#include "moescope/plot/figure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "moescope/base/error.h"
#include "moescope/plot/layout.h"
#include "moescope/plot/panels.h"
#include "moescope/plot/script.h"
#include "moescope/plot/style.h"
#include "tests/io/temporary_folder.h"

namespace moescope::plot {
namespace {

namespace fs = std::filesystem;
using io::TemporaryFolder;
using testing::HasSubstr;
using testing::Not;

bool has_gnuplot() { return std::system("gnuplot --version > /dev/null 2>&1") == 0; }

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::size_t n_files(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Figure, BecomesTwoPicturesAndItsScript) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryFolder folder;
  Figure figure{"line", axes(GridLines::kBoth) + translucent_bands(), data_block("line", "1 2 1 3\n2 3 2 4\n")};
  figure.body += plot_command({clause("line", "1:3:4", band_mark(0)), clause("line", "1:2", curve_mark(0), "it's")});
  draw(folder.path(), figure);
  EXPECT_EQ(n_files(folder.path()), 3u);
  EXPECT_EQ(text_of(folder.path() / "line.png").substr(0, 4), "\x89PNG");
  const std::string svg = text_of(folder.path() / "line.svg");
  EXPECT_THAT(svg, HasSubstr("width=\"900\" height=\"600\""));
  EXPECT_THAT(svg, HasSubstr("it's"));
  EXPECT_THAT(text_of(folder.path() / "line.gp"), HasSubstr(figure.data));
}

TEST(Figure, EveryPieceOfStyleIsSomethingThatGnuplotTakes) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryFolder folder;
  Figure figure{"pieces", "", data_block("a", "0 0 1 1 0.5\n") + data_block("b", "0 1 word\n")};
  figure.body = plane() + vertical_grid_lines() + solid_bars() + vertical_line(0.5) + use_scale(share_scale("share")) +
                multiplot({1, 3},
                          small_title("arrows") + plot_command({arrow_clause("a"), text_clause("b", "1:2:3")}) +
                              plot_command({box_clause("a")}) + plot_command({"x with lines", diagonal_clause()}),
                          beside_color_box(figure, "three", {60, 90, 40, 40, 20, 20}));
  EXPECT_NO_THROW(draw(folder.path(), figure));
  const HeatPanel heat{"heat", "x", "y", 1, 2, {1.0, std::nullopt}};
  for (const ColorScale& scale :
       {class_scale({"none", "one", "many"}), signed_scale("product"), share_scale("share")}) {
    EXPECT_NO_THROW(draw(folder.path(), heat_figure("heat", {"above"}, {heat}, scale, 1, 300, 300)));
  }
}

TEST(Figure, AScriptThatGnuplotRefusesIsAnErrorWithItsWordsAndNoPicture) {
  if (!has_gnuplot()) GTEST_SKIP() << "gnuplot is not installed";
  const TemporaryFolder folder;
  try {
    draw(folder.path(), {"broken", "plot nonsense(x)\n", ""});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kEnvironment);
    EXPECT_THAT(error.what(), HasSubstr("undefined function"));
    EXPECT_THAT(error.what(), HasSubstr("broken.gp"));
  }
  EXPECT_FALSE(fs::exists(folder.path() / "broken.svg"));
  EXPECT_FALSE(fs::exists(folder.path() / "broken.png"));
}

TEST(Figure, RefusesAFolderWhoseNameGnuplotCannotTake) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "it's");
  EXPECT_THROW(draw(folder.path() / "it's", {"line", "plot x\n", ""}), Error);
  EXPECT_EQ(n_files(folder.path() / "it's"), 0u);
}

}  // namespace
}  // namespace moescope::plot
