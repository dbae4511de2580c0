// report.html: the template of assets/, the style, the scripts and the data blocks in one file without network.
#pragma once

#include <string>
#include <string_view>

#include "moescope/report/run/page_data.h"

namespace moescope::report {

// A file of moescope/report/assets, embedded at build time; empty for an unknown name.
std::string embedded_file(std::string_view name);

// `title` is plain text. The page forbids itself every network access and every script but its own (content security
// policy with a nonce that is a hash of the data).
std::string make_page(const std::string& title, const PageData& data);

}  // namespace moescope::report
