#include "moescope/report/run/evidence_lines.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "moescope/report/run/bytes.h"

namespace moescope::report {

namespace {

template <typename T>
std::span<const T> row_of(const std::vector<T>& values, std::int64_t row, std::int64_t width) {
  return std::span<const T>(values).subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
}

// A routed token keeps a score above 0, however small it is beside the largest.
std::uint16_t share_of_largest(float score, float largest) {
  const double share = static_cast<double>(score) / static_cast<double>(largest);
  return static_cast<std::uint16_t>(std::clamp(std::lround(share * 65535), 1l, 65535l));
}

void append_scores(ByteWriter& out, std::span<const float> scores, float largest) {
  for (std::size_t begin = 0; begin < scores.size(); begin += 8) {
    unsigned bits = 0;
    for (std::size_t i = begin; i < std::min(begin + 8, scores.size()); ++i) {
      bits |= scores[i] > 0 ? 1u << (i - begin) : 0u;
    }
    out.u8(static_cast<std::uint8_t>(bits));
  }
  for (const float score : scores) {
    if (score > 0) out.u16(share_of_largest(score, largest));
  }
}

}  // namespace

std::vector<std::vector<std::int64_t>> choose_windows(const ReportedRun& data,
                                                      std::optional<std::int64_t> max_per_kind) {
  if (!data.evidence) return {};
  std::vector<std::vector<std::int64_t>> shown(data.evidence->rows.size());
  for (std::size_t idx = 0; idx < shown.size(); ++idx) {
    for (const std::int32_t kind : {0, 1}) {
      std::vector<std::int64_t> rows;
      for (const std::int64_t row : data.evidence->rows[idx]) {
        if (data.evidence->kind[static_cast<std::size_t>(row)] == kind) rows.push_back(row);
      }
      const auto n = static_cast<std::int64_t>(rows.size());
      const std::int64_t n_shown = std::min(n, max_per_kind.value_or(n));
      for (std::int64_t i = 0; i < n_shown; ++i) {
        shown[idx].push_back(rows[static_cast<std::size_t>(kind == 0 ? i : i * n / n_shown)]);
      }
    }
  }
  return shown;
}

void use_window_tokens(const ReportedEvidence& evidence, const std::vector<std::vector<std::int64_t>>& shown,
                       TokenDictionary& dictionary) {
  for (const auto& rows : shown) {
    for (const std::int64_t row : rows) {
      const auto length = evidence.length[static_cast<std::size_t>(row)];
      for (const std::int32_t id :
           row_of(evidence.token_ids, row, evidence.n_positions).first(static_cast<std::size_t>(length))) {
        dictionary.use(id);
      }
      for (const std::int32_t id : row_of(evidence.promoted, row, evidence.n_strongest * evidence.n_promoted)) {
        if (id >= 0) dictionary.use(id);
      }
    }
  }
}

std::string evidence_line(const ReportedEvidence& evidence, const std::vector<std::int64_t>& rows,
                          const TokenDictionary& dictionary, const std::map<std::int32_t, std::uint64_t>& document_of) {
  float largest = 0;
  for (const std::int64_t row : rows) {
    for (const float score : row_of(evidence.scores, row, evidence.n_positions)) largest = std::max(largest, score);
  }
  ByteWriter out;
  out.f32(largest);
  out.varint(rows.size());
  for (const std::int64_t row : rows) {
    const auto w = static_cast<std::size_t>(row);
    const auto length = static_cast<std::size_t>(evidence.length[w]);
    out.varint(static_cast<std::uint64_t>(evidence.kind[w] * 16 + evidence.decile[w] + 1));
    out.varint(document_of.at(evidence.doc_idx[w]));
    out.varint(static_cast<std::uint64_t>(evidence.position[w]));
    out.varint(length);
    for (const std::int32_t id : row_of(evidence.token_ids, row, evidence.n_positions).first(length)) {
      out.varint(dictionary.local(id));
    }
    append_scores(out, row_of(evidence.scores, row, evidence.n_positions).first(length), largest);
    const auto strongest = row_of(evidence.strongest, row, evidence.n_strongest);
    const auto promoted = row_of(evidence.promoted, row, evidence.n_strongest * evidence.n_promoted);
    const auto n_promoted = static_cast<std::size_t>(evidence.n_promoted);
    out.varint(
        static_cast<std::uint64_t>(std::count_if(strongest.begin(), strongest.end(), [](auto i) { return i >= 0; })));
    for (std::size_t i = 0; i < strongest.size(); ++i) {
      if (strongest[i] < 0) continue;
      out.varint(static_cast<std::uint64_t>(strongest[i]));
      for (const std::int32_t id : promoted.subspan(i * n_promoted, n_promoted)) {
        out.varint(id < 0 ? 0 : dictionary.local(id) + 1);
      }
    }
  }
  return base64(out.bytes());
}

}  // namespace moescope::report
