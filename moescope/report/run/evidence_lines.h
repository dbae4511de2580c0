// The evidence windows of a run as lines of the page's evidence blocks (format: page_data.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "moescope/report/run/reported_run.h"
#include "moescope/report/run/token_dictionary.h"

namespace moescope::report {

// Which windows of each expert are shown: all, or at most `max_per_kind` of a kind (the first of the strongest, evenly
// spaced ones of the sample). [L * E] of rows, in the order of the file
std::vector<std::vector<std::int64_t>> choose_windows(const ReportedRun& data,
                                                      std::optional<std::int64_t> max_per_kind);

void use_window_tokens(const ReportedEvidence& evidence, const std::vector<std::vector<std::int64_t>>& shown,
                       TokenDictionary& dictionary);

// One expert's line. `document_of`: doc_idx -> its number on the page.
std::string evidence_line(const ReportedEvidence& evidence, const std::vector<std::int64_t>& rows,
                          const TokenDictionary& dictionary, const std::map<std::int32_t, std::uint64_t>& document_of);

}  // namespace moescope::report
