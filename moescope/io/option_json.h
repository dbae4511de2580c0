// The settings of a run as JSON, made from the description of its options (base/options.h).
#pragma once

#include <nlohmann/json.hpp>

#include "moescope/base/options.h"

namespace moescope::io {

// Every option by its key; null for an optional one without a value. Which of them: all, or those that results depend
// on (OptionNotes::in_identity).
enum class OptionChoice { kAll, kIdentity };
nlohmann::json to_json(const OptionList& options, OptionChoice which = OptionChoice::kAll);

// The same of a described struct.
template <typename Options>
nlohmann::json settings_json(Options options, OptionChoice which = OptionChoice::kAll) {
  return to_json(described(options), which);
}

}  // namespace moescope::io
