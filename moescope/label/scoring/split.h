// Which traced text rules are learned from, pruned on and judged by: whole documents, so that no sentence of a test
// document was seen before.
//
// Documents are dealt out domain by domain in a seeded random order, each to the part that lacks most tokens, so that
// every domain stands in every part where it has documents enough. A run of fewer than kMinDocuments documents is cut
// into the contexts that the model saw instead (the summary says so): neighbouring contexts of one document are less
// independent, so intervals are then somewhat narrow.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "moescope/label/traced_run.h"

namespace moescope::label {

enum class TracePart : std::uint8_t { kExplain, kValidation, kTest };

struct SplitOptions {
  static constexpr std::int64_t kMinDocuments = 12;
  std::array<double, 3> shares = {0.5, 0.2, 0.3};  // explain, validation, test; sum 1
  std::uint64_t seed = 1;
};

// Rows are tokens in the order explain, validation, test (corpus order within a part).
struct TokenSplit {
  std::string unit;                                         // "document" or "context"
  std::vector<std::uint32_t> token_of_row;                  // [N]
  std::size_t n_explain = 0, n_validation = 0, n_test = 0;  // rows; they follow one another in this order
  std::array<std::int64_t, 3> n_units = {0, 0, 0};
  std::vector<std::uint32_t> test_unit;  // [n_test]: unit of test row i, numbered from 0

  std::size_t test_begin() const { return n_explain + n_validation; }
  std::size_t n_rows() const { return token_of_row.size(); }
};

TokenSplit split_tokens(const TracedRun& run, const SplitOptions& options);

}  // namespace moescope::label
