// The data blocks of report.html: what the page's script reads, as small as it can be without a decompressor.
//
// A block is one <script> element. JSON blocks go through script_json. Line blocks hold one base64 text a line, each
// decoded only when it is looked at; numbers in them are unsigned LEB128 unless said otherwise. Tokens are numbered
// anew by how often the page uses them, so that most take one or two bytes.
//   core            JSON: run.json, sizes, one column a number of experts.csv and layers.csv, summary, what is missing
//   labels          JSON: labels.jsonl without evidence rows, by expert index; null where there is none
//   pieces          JSON: {pieces, ids (base64)}: text and vocabulary id of every token that the page uses
//   documents       JSON: {doc_idx, id, domain} of every document that evidence comes from
//   domains         a line an expert, JSON: {names?, rows: [[domain, n_tokens, share]], n_more}
//   input-tokens    a line an expert: token, n here, n in the layer; repeated
//   tokens          a line a token: token, n in the run, then by layer: n_top, (expert, n) x n_top
//   coactivation-l  base64 of the upper triangle with the diagonal
//   neighbours      a line an expert, where the triangles are too large: (expert, n together) repeated
//   evidence-l      a line an expert: largest score f32, n_windows, then by window: kind * 16 + decile + 1, document,
//                   position, length, tokens, routed bits, scores of routed tokens u16 (of the largest score, 65535 =
//                   1), n_strongest, by strongest token: position, promoted token + 1 (0: none) x 3
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/report/run/reported_run.h"

namespace moescope::report {

struct PageBlock {
  std::string name;
  bool is_json = false;
  std::string text;  // cannot end its element: base64 lines or script_json
};

struct PageData {
  std::vector<PageBlock> blocks;
  std::int64_t n_windows = 0, n_windows_shown = 0;
  std::uint64_t n_bytes = 0;  // of all blocks
};

struct PageDataOptions {
  // Windows kept of an expert and kind: the strongest, or evenly spaced over the sample. Without a value: all.
  std::optional<std::int64_t> max_windows_per_kind;
  bool link_files = true;                // the page lies in the run directory, so links to the tables work
  std::int64_t n_listed_tokens = 20;     // most frequent and most over-represented input tokens of an expert, each
  std::int64_t n_indexed_tokens = 8192;  // most frequent tokens of the run that can be looked up
  std::int64_t n_experts_per_indexed_token = 4;    // in each layer
  std::int64_t n_listed_domains = 40;              // of an expert; the rest is counted
  std::uint64_t max_coactivation_bytes = 3 << 20;  // above it only neighbours are kept
};

PageData make_page_data(const ReportedRun& data, const PageDataOptions& options = {});

}  // namespace moescope::report
