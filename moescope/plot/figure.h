// One figure by gnuplot (a program of its own, http://gnuplot.info): a script becomes FOLDER/NAME.svg and
// FOLDER/NAME.png. The script is kept beside them as NAME.gp, so that a figure can be restyled without computing
// anything again. Fonts, sizes of letters and both output formats are chosen here; script.h, style.h and panels.h make
// the commands.
#pragma once

#include <filesystem>
#include <string>

namespace moescope::plot {

struct Figure {
  std::string name;               // of the files
  std::string body;               // commands between `set output` and the end; data in blocks named $...
  std::string data;               // data blocks, written once before the body
  int width = 900, height = 600;  // points
};

// Throws kEnvironment if there is no gnuplot on the PATH (saying which package has it) or if it fails (with its words).
void draw(const std::filesystem::path& folder, const Figure& figure);

}  // namespace moescope::plot
