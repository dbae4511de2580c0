#include <algorithm>
#include <array>

#include "moescope/io/table.h"
#include "moescope/record/lens.h"
#include "moescope/record/tables.h"

namespace moescope::record {
namespace {

namespace fs = std::filesystem;

// The arrays of evidence.safetensors, W windows of S tokens.
struct EvidenceArrays {
  std::vector<std::int32_t> layer, expert, kind, decile, doc_idx, position, length, token_ids, strongest;
  std::vector<float> strength, scores;
};

EvidenceArrays collect(const std::vector<KeptWindow>& windows, const text::TokenCorpus& corpus) {
  EvidenceArrays arrays;
  for (const KeptWindow& window : windows) {
    const Candidate& candidate = *window.candidate;
    arrays.layer.push_back(static_cast<std::int32_t>(window.layer_idx));
    arrays.expert.push_back(static_cast<std::int32_t>(window.expert_idx));
    arrays.kind.push_back(static_cast<std::int32_t>(window.kind));
    arrays.decile.push_back(window.decile);
    arrays.strength.push_back(candidate.strength);
    arrays.doc_idx.push_back(candidate.doc_idx);
    arrays.position.push_back(candidate.position);
    arrays.length.push_back(candidate.n_tokens);
    const auto first = corpus.token_ids.begin() + candidate.first_token;
    arrays.token_ids.insert(arrays.token_ids.end(), first, first + candidate.n_tokens);
    arrays.token_ids.insert(arrays.token_ids.end(), window.scores.size() - static_cast<std::size_t>(candidate.n_tokens),
                            -1);
    arrays.scores.insert(arrays.scores.end(), window.scores.begin(), window.scores.end());
    arrays.strongest.insert(arrays.strongest.end(), candidate.strongest.begin(), candidate.strongest.end());
  }
  return arrays;
}

// The window's text with every routed token between double asterisks, as the published explainer prompts show it.
std::string marked_text(const EvidenceArrays& arrays, std::size_t w, std::size_t width,
                        const std::vector<std::string>& pieces) {
  std::string text;
  for (std::size_t i = w * width; i < w * width + static_cast<std::size_t>(arrays.length[w]); ++i) {
    const std::string& piece = pieces[static_cast<std::size_t>(arrays.token_ids[i])];
    text += arrays.scores[i] > 0 ? "**" + piece + "**" : piece;
  }
  return text;
}

// "token: promoted, promoted, promoted; ..." for the strongest tokens.
std::string promoted_text(const EvidenceArrays& arrays, const std::vector<std::int32_t>& promoted, std::size_t w,
                          std::size_t width, const std::vector<std::string>& pieces) {
  std::string text;
  for (std::size_t j = 0; j < kStrongestTokens; ++j) {
    const std::int32_t place = arrays.strongest[w * kStrongestTokens + j];
    if (place < 0) break;
    const std::int32_t token_id = arrays.token_ids[w * width + static_cast<std::size_t>(place)];
    text += (j > 0 ? "; " : "") + pieces[static_cast<std::size_t>(token_id)] + ":";
    for (std::size_t t = 0; t < static_cast<std::size_t>(kPromotedTokens); ++t) {
      const std::int32_t id = promoted[(w * kStrongestTokens + j) * static_cast<std::size_t>(kPromotedTokens) + t];
      if (id >= 0) text += (t > 0 ? ", " : " ") + pieces[static_cast<std::size_t>(id)];
    }
  }
  return text;
}

io::Table evidence_table(const EvidenceArrays& arrays, const std::vector<std::int32_t>& promoted, std::size_t width,
                         const std::vector<std::string>& pieces) {
  const auto ints = [](const std::vector<std::int32_t>& values) { return io::IntColumn(values.begin(), values.end()); };
  io::TextColumn kind, text, promotes;
  io::IntColumn decile;
  io::IntListColumn token_ids;
  io::RealListColumn scores;
  for (std::size_t w = 0; w < arrays.layer.size(); ++w) {
    kind.emplace_back(arrays.kind[w] == 0 ? "strongest" : "sample");
    decile.push_back(arrays.decile[w] < 0 ? std::nullopt : std::optional<std::int64_t>(arrays.decile[w]));
    const auto first = static_cast<std::ptrdiff_t>(w * width), last = first + arrays.length[w];
    token_ids.emplace_back(
        std::vector<std::int64_t>(arrays.token_ids.begin() + first, arrays.token_ids.begin() + last));
    scores.emplace_back(std::vector<double>(arrays.scores.begin() + first, arrays.scores.begin() + last));
    text.emplace_back(marked_text(arrays, w, width, pieces));
    promotes.emplace_back(promoted_text(arrays, promoted, w, width, pieces));
  }
  return {{{"layer", ints(arrays.layer)},
           {"expert", ints(arrays.expert)},
           {"kind", kind},
           {"decile", decile},
           {"strength", io::RealColumn(arrays.strength.begin(), arrays.strength.end())},
           {"doc_idx", ints(arrays.doc_idx)},
           {"position", ints(arrays.position)},
           {"length", ints(arrays.length)},
           {"token_ids", token_ids},
           {"scores", scores},
           {"text", text},
           {"promoted", promotes}}};
}

}  // namespace

void write_evidence(const fs::path& folder, const std::vector<KeptWindow>& windows,
                    const std::vector<std::int32_t>& promoted, const text::TokenCorpus& corpus,
                    const std::vector<std::string>& pieces) {
  const EvidenceArrays arrays = collect(windows, corpus);
  const auto n = static_cast<std::int64_t>(windows.size()), width = corpus.window;
  const auto n_strongest = static_cast<std::int64_t>(kStrongestTokens);
  const std::vector<io::TensorToWrite> tensors = {
      io::tensor_to_write("layer", {n}, arrays.layer),
      io::tensor_to_write("expert", {n}, arrays.expert),
      io::tensor_to_write("kind", {n}, arrays.kind),
      io::tensor_to_write("decile", {n}, arrays.decile),
      io::tensor_to_write("strength", {n}, arrays.strength),
      io::tensor_to_write("doc_idx", {n}, arrays.doc_idx),
      io::tensor_to_write("position", {n}, arrays.position),
      io::tensor_to_write("length", {n}, arrays.length),
      io::tensor_to_write("token_ids", {n, width}, arrays.token_ids),
      io::tensor_to_write("scores", {n, width}, arrays.scores),
      io::tensor_to_write("strongest", {n, n_strongest}, arrays.strongest),
      io::tensor_to_write("promoted", {n, n_strongest, kPromotedTokens}, promoted)};
  io::write_safetensors(folder / "evidence.safetensors", tensors);
  if (io::parquet_available()) {
    io::write_parquet(folder / "evidence.parquet",
                      evidence_table(arrays, promoted, static_cast<std::size_t>(width), pieces));
  }
}

}  // namespace moescope::record
