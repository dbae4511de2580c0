// Figures by gnuplot (a program of its own, http://gnuplot.info): a script becomes FOLDER/NAME.svg and FOLDER/NAME.png.
// The script is kept beside them as NAME.gp, so that a figure can be restyled without computing anything again.
// Non-goals: a plotting language; callers write gnuplot's.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace moescope::plot {

struct Figure {
  std::string name;               // of the files
  std::string body;               // commands between `set output` and the end; data in blocks named $...
  std::string data;               // data blocks, written once before the body
  int width = 900, height = 600;  // points
};

// Colours that people with any kind of colour vision tell apart (Okabe, Ito 2008), by number; repeats after 8.
const char* figure_color(std::size_t idx);

// A text as a gnuplot literal in single quotes; line ends become spaces.
std::string gnuplot_quote(std::string_view text);
// A text as one field of a data block.
std::string gnuplot_field(std::string_view text);

// Throws kEnvironment if there is no gnuplot on the PATH (saying which package has it) or if it fails (with its words).
void draw(const std::filesystem::path& folder, const Figure& figure);

}  // namespace moescope::plot
