#include "tests/project/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "moescope/base/error.h"

namespace moescope::project {
namespace {

std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  std::size_t begin = 1;
  for (std::size_t end = row.find('|', begin); end != std::string::npos; end = row.find('|', begin)) {
    std::string cell = row.substr(begin, end - begin);
    const std::size_t first = cell.find_first_not_of(' ');
    cells.push_back(first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    begin = end + 1;
  }
  return cells;
}

std::string without(const std::string& text, char unwanted) {
  std::string kept = text;
  std::erase(kept, unwanted);
  return kept;
}

// "analysis/probe/fit.h" -> {"analysis", "probe"}; the second part is empty for files directly in the room.
struct Place {
  std::string room;
  std::string part;
};

Place place_of(const std::string& path_below_moescope) {
  const std::size_t first = path_below_moescope.find('/');
  if (first == std::string::npos) return {};
  const std::size_t second = path_below_moescope.find('/', first + 1);
  return {path_below_moescope.substr(0, first),
          second == std::string::npos ? "" : path_below_moescope.substr(first + 1, second - first - 1)};
}

// Rooms whose folders never include each other. What two of them share lies directly in the room, below its folders, or
// in a lower room.
const std::set<std::string> kRoomsOfSiblings = {"analysis", "report"};

// Why `file` in `from` may not say #include <name> or "name"; empty if it may.
std::string objection(const LayerTable& table, const Place& from, const std::string& name, bool quoted) {
  const auto room = table.find(from.room);
  if (room == table.end()) return fmt::format("room {} is not in the table of docs/architecture.md", from.room);
  if (std::regex_search(name, std::regex("^(ATen|torch|c10|caffe2)/"))) {
    return room->second.may_see_torch ? "" : fmt::format("{} may not see LibTorch ({})", from.room, name);
  }
  if (!name.starts_with("moescope/")) {
    return quoted ? fmt::format("\"{}\" is not spelled from the top: \"moescope/<room>/<file>.h\"", name) : "";
  }
  if (!quoted) return fmt::format("<{}>: our own headers are written with quotes", name);
  const Place to = place_of(name.substr(std::string("moescope/").size()));
  if (to.room != from.room) {
    return room->second.may_include.contains(to.room)
               ? ""
               : fmt::format("{} may not include {} ({})", from.room, to.room, name);
  }
  if (kRoomsOfSiblings.contains(from.room) && !to.part.empty() && to.part != from.part) {
    return fmt::format("{}/{} may not include its sibling {}", from.room, from.part, name);
  }
  return "";
}

}  // namespace

LayerTable parse_layer_table(const std::string& markdown) {
  const std::size_t begin = markdown.find("<!-- layers -->");
  const std::size_t end = markdown.find("<!-- /layers -->");
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw input_error("no table between <!-- layers --> and <!-- /layers -->");
  }
  LayerTable table;
  for (const std::string& line : split_lines(markdown.substr(begin, end - begin))) {
    if (!line.starts_with("| `")) continue;
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != 4) throw input_error("expected 4 cells, got {}", cells.size()).at(line);
    if (cells[3] != "yes" && cells[3] != "no") throw input_error("LibTorch: yes or no, not '{}'", cells[3]).at(line);
    Room room;
    room.may_see_torch = cells[3] == "yes";
    if (cells[2] == "all above") {
      for (const auto& [name, above] : table) room.may_include.insert(name);
    } else if (cells[2] != "nothing") {
      for (const std::string& name : split_words(cells[2])) {
        if (!table.contains(name)) throw input_error("'{}' is no room above", name).at(line);
        room.may_include.insert(name);
      }
    }
    const std::string name = without(cells[0], '`');
    if (!table.emplace(name, room).second) throw input_error("a second row for {}", name);
  }
  if (table.empty()) throw input_error("the table of rooms has no rows");
  return table;
}

std::vector<std::string> layer_violations(const LayerTable& table, const std::vector<SourceFile>& files) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"])");
  std::vector<std::string> violations;
  for (const SourceFile& file : files) {
    if (!file.path.starts_with("moescope/")) continue;
    const Place from = place_of(file.path.substr(std::string("moescope/").size()));
    const std::vector<std::string> lines = split_lines(file.text);
    for (std::size_t line_idx = 0; line_idx < lines.size(); ++line_idx) {
      std::smatch match;
      if (!std::regex_search(lines[line_idx], match, kInclude)) continue;
      const std::string why = objection(table, from, match[2], match[1] == "\"");
      if (!why.empty()) violations.push_back(fmt::format("{}:{}: {}", file.path, line_idx + 1, why));
    }
  }
  return violations;
}

}  // namespace moescope::project
