#include "moescope/io/option_json.h"

namespace moescope::io {
namespace {

nlohmann::json item_json(const OptionItem& item) {
  return std::visit([](const auto& value) { return nlohmann::json(value); }, item);
}

}  // namespace

nlohmann::json to_json(const OptionList& options, OptionChoice which) {
  nlohmann::json json = nlohmann::json::object();
  for (const Option& option : options) {
    if (!option.has_value() || (which == OptionChoice::kIdentity && !option.notes().in_identity)) continue;
    const OptionValue value = option.value();
    nlohmann::json& entry = json[option.key()];
    if (value.is_list) {
      entry = nlohmann::json::array();
      for (const OptionItem& item : value.items) entry.push_back(item_json(item));
    } else if (!value.items.empty()) {
      entry = item_json(value.items.front());
    }
  }
  return json;
}

}  // namespace moescope::io
