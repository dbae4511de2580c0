#include "moescope/label/sentences/promoted.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "moescope/label/predicates/characters.h"
#include "moescope/label/predicates/piece_classes.h"

namespace moescope::label {

namespace {

using CountsByPiece = std::map<std::int32_t, std::int64_t>;

// A shared expert counts in the layer for its own lift alone: routed experts have the lifts that they had without it.
struct LayerCounts {
  std::vector<CountsByPiece> of_expert;
  CountsByPiece all;
  std::vector<std::int64_t> n_of_expert;
  std::int64_t n = 0;
};

LayerCounts count_promoted(const TracedRun& run, int layer_idx) {
  LayerCounts counts;
  const bool has_shared = run.shared_layers.contains(layer_idx);
  counts.of_expert.resize(static_cast<std::size_t>(run.n_experts + (has_shared ? 1 : 0)));
  counts.n_of_expert.resize(counts.of_expert.size(), 0);
  std::set<std::tuple<std::int32_t, std::int32_t, std::int32_t>> seen;  // expert, document, position
  const TracedEvidence& evidence = run.evidence;
  constexpr std::size_t kSlots = TracedEvidence::kStrongest * TracedEvidence::kPromoted;
  for (std::size_t w = 0; w < evidence.size(); ++w) {
    if (evidence.layer[w] != layer_idx) continue;
    const bool strong = evidence.kind[w] == 0 || evidence.decile[w] >= 5;
    if (!strong || !seen.insert({evidence.expert[w], evidence.doc_idx[w], evidence.position[w]}).second) continue;
    const auto expert = static_cast<std::size_t>(evidence.expert[w]);
    for (std::size_t i = 0; i < kSlots; ++i) {
      const std::int32_t piece = evidence.promoted[w * kSlots + i];
      if (piece < 0) continue;
      ++counts.of_expert[expert][piece];
      ++counts.n_of_expert[expert];
      if (evidence.expert[w] == run.n_experts) continue;
      ++counts.all[piece];
      ++counts.n;
    }
  }
  return counts;
}

// The wide class or function-word class that makes up most of what is promoted, if more than in the layer.
std::string dominant_class(const TracedRun& run, const CountsByPiece& expert, std::int64_t n_expert,
                           const CountsByPiece& layer, std::int64_t n_layer) {
  const auto by_class = [&](const CountsByPiece& counts) {
    std::map<PieceClass, std::int64_t> n;
    for (const auto& [piece, count] : counts) {
      for (PieceClass c : classes_of(run.pieces[static_cast<std::size_t>(piece)])) n[c] += count;
    }
    return n;
  };
  const auto of_expert = by_class(expert), of_layer = by_class(layer);
  std::string best;
  double best_gain = 0;
  for (const auto& [c, count] : of_expert) {
    const double share = static_cast<double>(count) / static_cast<double>(n_expert);
    const double lift = share / (static_cast<double>(of_layer.at(c)) / static_cast<double>(n_layer));
    if (share < kDominantClassShare || lift < kDominantClassLift) continue;
    const double gain = share * std::log(lift);
    if (gain > best_gain) {
      best_gain = gain;
      best = class_name(c).things;
    }
  }
  return best;
}

std::string said(const TracedRun& run, const Promoted& promoted, const CountsByPiece& expert,
                 const CountsByPiece& layer, std::int64_t n_layer) {
  std::vector<std::string> shown_pieces;
  std::int64_t n_shown = 0;
  for (const TellingPiece& piece : promoted.pieces) {
    if (shown_pieces.size() == 3) break;
    const std::string text = shown(piece.piece);
    shown_pieces.push_back(text);
    n_shown += piece.n;
  }
  const bool pieces_dominate =
      !shown_pieces.empty() && static_cast<double>(n_shown) >= kDominantPiecesShare * static_cast<double>(promoted.n);
  const std::string class_said =
      promoted.n >= 2 * kMinPromotedCount ? dominant_class(run, expert, promoted.n, layer, n_layer) : "";
  const std::string list = fmt::format("{}", fmt::join(shown_pieces, ", "));
  if (!class_said.empty() && !shown_pieces.empty()) return "promotes " + class_said + " such as " + list;
  if (!class_said.empty()) return "promotes " + class_said;
  return pieces_dominate ? "promotes " + list : "";
}

}  // namespace

std::vector<Promoted> summarize_promoted(const TracedRun& run, int layer_idx) {
  LayerCounts counts = count_promoted(run, layer_idx);
  std::vector<Promoted> promoted(counts.of_expert.size());
  for (std::size_t e = 0; e < promoted.size(); ++e) {
    if (e == static_cast<std::size_t>(run.n_experts)) {  // the shared one, behind all others
      for (const auto& [piece, n] : counts.of_expert[e]) counts.all[piece] += n;
      counts.n += counts.n_of_expert[e];
    }
    promoted[e].n = counts.n_of_expert[e];
    std::vector<std::pair<double, TellingPiece>> found;
    for (const auto& [piece, n] : counts.of_expert[e]) {
      const double share = static_cast<double>(n) / static_cast<double>(promoted[e].n);
      const double layer_share = static_cast<double>(counts.all.at(piece)) / static_cast<double>(counts.n);
      const double lift = share / layer_share;
      if (n < kMinPromotedCount || lift < kMinPromotedLift) continue;
      found.push_back(
          {static_cast<double>(n) * std::log(lift), {run.pieces[static_cast<std::size_t>(piece)], lift, n}});
    }
    std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    if (found.size() > kMaxPromotedPieces) found.resize(kMaxPromotedPieces);
    for (auto& [value, piece] : found) promoted[e].pieces.push_back(std::move(piece));
    promoted[e].text = said(run, promoted[e], counts.of_expert[e], counts.all, counts.n);
  }
  return promoted;
}

}  // namespace moescope::label
