// Who may include whom: the table of docs/architecture.md, and the check of files against it.
//
// The table is Markdown between the lines <!-- layers --> and <!-- /layers -->, one row a room:
//   | `room` | what it holds | rooms it may include, "nothing" or "all above" | LibTorch: "yes" or "no" |
// Non-goals: transitive includes (a room sees what the rooms it may include see), system headers other than LibTorch's.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/project/source_tree.h"

namespace moescope::project {

struct Room {
  std::set<std::string> may_include;  // never itself, which is always allowed
  bool may_see_torch = false;
};

using LayerTable = std::map<std::string, Room>;

// Throws input_error when a row does not parse or names a room that is not above it: so the table has no cycles.
LayerTable parse_layer_table(const std::string& markdown);

// One line for every #include of a file under moescope/ that the table does not allow, "FILE:LINE: why".
std::vector<std::string> layer_violations(const LayerTable& table, const std::vector<SourceFile>& files);

}  // namespace moescope::project
