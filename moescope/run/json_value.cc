#include "moescope/run/json_value.h"

namespace moescope::run {

Error detail::wrong_type(const std::string& key, const char* expected, const Json& found) {
  return input_error("\"{}\" is not {} ({})", key, expected, found.type_name());
}

std::string json_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace moescope::run
