// The words of one line of mdoc macros, in which macros call one another: ".Op Fl a Ar file" is "[-a file]".
// Source: mdoc(7). Used by roff.cc only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moescope::io {

class Mdoc {
 public:
  // Whether a macro of mdoc gives text (layout macros such as Pp and Bl are not among them).
  static bool knows(std::string_view macro);

  // The text of a line; remembers the name that a first .Nm gives. Arguments still hold their escapes.
  std::string line(const std::string& macro, const std::vector<std::string>& arguments);

 private:
  std::string name_;
};

}  // namespace moescope::io
