// Pieces of gnuplot's language: quoting, data blocks, tics, axes, the plot command.
// Non-goals: how anything looks (style.h); a caller writes plainly the commands that only its own figure needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moescope::plot {

// A text as a literal in single quotes; line ends become spaces.
std::string literal(std::string_view text);
// A text as one field of a data block.
std::string field(std::string_view text);

// The block $NAME. `lines`: rows of fields between spaces, each with its line end.
std::string data_block(const std::string& name, const std::string& lines);

// Clauses of one plot command, drawn in their order; none: an empty text.
std::string plot_command(const std::vector<std::string>& clauses);

// The argument of `set xtics`: names at 0, 1, 2 ...
std::string named_tics(const std::vector<std::string>& names);
// The same: numbers at themselves.
template <typename Numbers>
std::string number_tics(const Numbers& numbers);

// What is empty, or 0, stays as gnuplot has it.
struct Axis {
  std::string title = {};
  std::string range = {};  // "[0:*]"
  std::string tics = {};   // an argument of `set xtics`
  double log_base = 0;     // of a logarithmic axis
};
std::string x_axis(const Axis& axis);
std::string y_axis(const Axis& axis);

std::string number_text(double number);  // the shortest text that reads back as the number

template <typename Numbers>
std::string number_tics(const Numbers& numbers) {
  std::string tics;
  for (const auto number : numbers) tics += (tics.empty() ? "" : ",") + number_text(static_cast<double>(number));
  return "(" + tics + ")";
}

}  // namespace moescope::plot
