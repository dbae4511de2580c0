#include "moescope/text/normalizer.h"

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/text/json_fields.h"

namespace moescope::text {

std::unique_ptr<Normalizer> make_normalizer(const nlohmann::json& json, const std::string& place) {
  const JsonFields fields(json, place);
  const std::string type = fields.string("type");
  throw input_error("{} is of the unknown type '{}'", place, type);
}

}  // namespace moescope::text
