#include "moescope/plot/script.h"

#include <fmt/format.h>

namespace moescope::plot {

namespace {

std::string axis_commands(char letter, const Axis& axis) {
  std::string commands;
  if (axis.log_base > 0) commands += fmt::format("set logscale {} {}\n", letter, axis.log_base);
  if (!axis.tics.empty()) commands += fmt::format("set {}tics {}\n", letter, axis.tics);
  if (!axis.range.empty()) commands += fmt::format("set {}range {}\n", letter, axis.range);
  if (!axis.title.empty()) commands += fmt::format("set {}label {}\n", letter, literal(axis.title));
  return commands;
}

}  // namespace

std::string literal(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c == '\n' || c == '\r' || c == '\0' ? ' ' : c;
  }
  return quoted + "'";
}

std::string field(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '\n' || c == '\r' || c == '\0' || c == '"' || c == '\\' ? ' ' : c;
  return quoted + "\"";
}

std::string data_block(const std::string& name, const std::string& lines) {
  return "$" + name + " << EOD\n" + lines + "EOD\n";
}

std::string plot_command(const std::vector<std::string>& clauses) {
  if (clauses.empty()) return "";
  std::string command = "plot ";
  for (std::size_t i = 0; i < clauses.size(); ++i) command += (i == 0 ? "" : ", \\\n  ") + clauses[i];
  return command + "\n";
}

std::string named_tics(const std::vector<std::string>& names) {
  std::string tics;
  for (std::size_t i = 0; i < names.size(); ++i) {
    tics += fmt::format("{}{} {}", i == 0 ? "" : ", ", literal(names[i]), i);
  }
  return "(" + tics + ")";
}

std::string x_axis(const Axis& axis) { return axis_commands('x', axis); }
std::string y_axis(const Axis& axis) { return axis_commands('y', axis); }

std::string number_text(double number) { return fmt::format("{}", number); }

}  // namespace moescope::plot
