#include "moescope/record/lens.h"
#include "moescope/record/tables.h"
#include "moescope/run/record_files.h"

namespace moescope::record {
namespace {

namespace fs = std::filesystem;

run::Evidence collect(const std::vector<KeptWindow>& windows, const std::vector<std::int32_t>& promoted,
                      const text::TokenCorpus& corpus) {
  run::Evidence evidence;
  evidence.n_windows = static_cast<std::int64_t>(windows.size());
  evidence.n_positions = corpus.window;
  evidence.promoted = promoted;
  for (const KeptWindow& window : windows) {
    const Candidate& candidate = *window.candidate;
    evidence.layer.push_back(static_cast<std::int32_t>(window.layer_idx));
    evidence.expert.push_back(static_cast<std::int32_t>(window.expert_idx));
    evidence.kind.push_back(static_cast<std::int32_t>(window.kind));
    evidence.decile.push_back(window.decile);
    evidence.strength.push_back(candidate.strength);
    evidence.doc_idx.push_back(candidate.doc_idx);
    evidence.position.push_back(candidate.position);
    evidence.length.push_back(candidate.n_tokens);
    const auto first = corpus.token_ids.begin() + candidate.first_token;
    evidence.token_ids.insert(evidence.token_ids.end(), first, first + candidate.n_tokens);
    evidence.token_ids.insert(evidence.token_ids.end(),
                              window.scores.size() - static_cast<std::size_t>(candidate.n_tokens), -1);
    evidence.scores.insert(evidence.scores.end(), window.scores.begin(), window.scores.end());
    evidence.strongest.insert(evidence.strongest.end(), candidate.strongest.begin(), candidate.strongest.end());
  }
  return evidence;
}

// The window's text with every routed token between double asterisks, as the published explainer prompts show it.
std::string marked_text(const run::Evidence& evidence, std::size_t w, const std::vector<std::string>& pieces) {
  const auto width = static_cast<std::size_t>(evidence.n_positions);
  std::string text;
  for (std::size_t i = w * width; i < w * width + static_cast<std::size_t>(evidence.length[w]); ++i) {
    const std::string& piece = pieces[static_cast<std::size_t>(evidence.token_ids[i])];
    text += evidence.scores[i] > 0 ? "**" + piece + "**" : piece;
  }
  return text;
}

// "token: promoted, promoted, promoted; ..." for the strongest tokens.
std::string promoted_text(const run::Evidence& evidence, std::size_t w, const std::vector<std::string>& pieces) {
  constexpr std::size_t kStrongest = run::Evidence::kStrongestTokens, kPromoted = run::Evidence::kPromotedTokens;
  const auto width = static_cast<std::size_t>(evidence.n_positions);
  std::string text;
  for (std::size_t j = 0; j < kStrongest; ++j) {
    const std::int32_t place = evidence.strongest[w * kStrongest + j];
    if (place < 0) break;
    const std::int32_t token_id = evidence.token_ids[w * width + static_cast<std::size_t>(place)];
    text += (j > 0 ? "; " : "") + pieces[static_cast<std::size_t>(token_id)] + ":";
    for (std::size_t t = 0; t < kPromoted; ++t) {
      const std::int32_t id = evidence.promoted[(w * kStrongest + j) * kPromoted + t];
      if (id >= 0) text += (t > 0 ? ", " : " ") + pieces[static_cast<std::size_t>(id)];
    }
  }
  return text;
}

std::vector<run::EvidenceRow> rows_for_people(const run::Evidence& evidence, const RecordShape& shape,
                                              const std::vector<std::string>& pieces) {
  std::vector<run::EvidenceRow> rows;
  for (std::size_t w = 0; w < evidence.layer.size(); ++w) {
    run::EvidenceRow& row = rows.emplace_back();
    row.id = expert_id(shape, evidence.layer[w], evidence.expert[w]);
    row.window = evidence.kind[w] == 0 ? "strongest" : "sample";
    if (evidence.decile[w] >= 0) row.decile = evidence.decile[w];
    row.strength = static_cast<double>(evidence.strength[w]);
    row.doc_idx = evidence.doc_idx[w];
    row.position = evidence.position[w];
    row.length = evidence.length[w];
    const auto first = static_cast<std::ptrdiff_t>(w) * evidence.n_positions, last = first + row.length;
    row.token_ids = {evidence.token_ids.begin() + first, evidence.token_ids.begin() + last};
    row.scores = {evidence.scores.begin() + first, evidence.scores.begin() + last};
    row.text = marked_text(evidence, w, pieces);
    row.promoted = promoted_text(evidence, w, pieces);
  }
  return rows;
}

}  // namespace

void write_evidence(const fs::path& folder, const std::vector<KeptWindow>& windows,
                    const std::vector<std::int32_t>& promoted, const text::TokenCorpus& corpus,
                    const RecordShape& shape, const std::vector<std::string>& pieces) {
  static_assert(kStrongestTokens == run::Evidence::kStrongestTokens);
  static_assert(kPromotedTokens == run::Evidence::kPromotedTokens);
  const run::Evidence evidence = collect(windows, promoted, corpus);
  std::vector<io::TensorToWrite> tensors;
  run::add_tensors(tensors, evidence);
  io::write_safetensors(folder / "evidence.safetensors", tensors);
  if (!io::parquet_available()) return;
  const std::vector<run::EvidenceRow> rows = rows_for_people(evidence, shape, pieces);
  io::write_parquet(folder / "evidence.parquet", run::to_table(std::span<const run::EvidenceRow>(rows)));
}

}  // namespace moescope::record
