// Text for places where a browser reads markup. Corpus text is hostile until it has gone through one of these.
//
// Invalid UTF-8 becomes U+FFFD. Bidirectional controls and NUL are kept as data here (the page's script shows them as
// visible symbols); what matters here is that no text can end the element or attribute it stands in.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace moescope::report {

// For element content and quoted attributes: & < > " ' as entities; controls that HTML forbids (NUL and others) and
// bidirectional controls as U+FFFD.
std::string html_escape(std::string_view text);

// JSON for a <script type="application/json"> element: pure ASCII, and < > & are \u escapes, so that neither
// "</script" nor "<!--" nor a line separator can occur in it.
std::string script_json(const nlohmann::json& value);

}  // namespace moescope::report
