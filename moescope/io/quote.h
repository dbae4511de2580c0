// Names out of foreign files, made fit for an error message: quoted, escaped, on one line and of bounded length.
#pragma once

#include <string>
#include <string_view>

namespace moescope::io {

// "\"model.embed\"": control characters and invalid UTF-8 are escaped or replaced, and long names are cut.
std::string quote_name(std::string_view name);

}  // namespace moescope::io
