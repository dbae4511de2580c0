// A complete run directory (docs/run-directory.md) made without a model, for tests and for looking at reports: tokens
// of synthetic_text.h, routed by a fixed function of token class, token and layer, and every count, window and table
// computed from that routing. Label scores are drawn, not computed.
//
// Goals: any size up to that of a real model; the same bytes for the same options; every status occurs. What is special
// in it: expert E-1 of layer 0 gets no token, expert E-2 of layer 0 only those of the first document.
// Non-goals: Parquet twins, a full trace (an empty one is written).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "moescope/io/safetensors.h"
#include "tests/report/run/synthetic_text.h"

namespace moescope::report::testing {

struct SyntheticRunOptions {
  int n_layers = 2, n_experts = 8, n_experts_per_token = 2;
  int n_documents = 12, n_document_tokens = 304;
  int n_windows_per_kind = 10;  // a multiple of 10: as many of every decile
  int n_window_tokens = 16;
  std::size_t n_vocab = 400;
  bool with_labels = true;
  std::uint64_t seed = 7;
  std::string model_name = "synthetic-moe";
  std::map<std::int32_t, std::string> other_pieces;  // token id -> text instead of the vocabulary's
  std::string label_text;                            // instead of every label, if not empty
};

// Evidence as written, for tests that compare. Layout as in evidence.safetensors.
struct SyntheticEvidence {
  std::vector<std::int32_t> layer, expert, kind, decile, doc_idx, position, length, token_ids, strongest, promoted;
  std::vector<float> strength, scores;
};

class SyntheticRun {
 public:
  explicit SyntheticRun(const SyntheticRunOptions& options)
      : options_(options),
        vocabulary_(options.n_vocab, options.seed),
        pieces_(vocabulary_.pieces()),
        documents_(synthetic_documents(vocabulary_, options.n_documents, options.n_document_tokens, options.seed)) {
    for (const auto& [id, piece] : options.other_pieces) pieces_[static_cast<std::size_t>(id)] = piece;
  }

  void write(const std::filesystem::path& folder);

  const std::vector<std::string>& pieces() const { return pieces_; }
  const std::vector<SyntheticDocument>& documents() const { return documents_; }
  const SyntheticEvidence& evidence() const { return evidence_; }  // after write()
  // n_tokens of (layer, expert), after write().
  std::int64_t n_tokens(int layer, int expert) const { return n_tokens_[idx(layer, expert)]; }

 private:
  struct Choice {
    std::int32_t expert;
    float weight, score;
  };

  std::size_t idx(int layer, int expert) const { return static_cast<std::size_t>(layer * options_.n_experts + expert); }
  std::int64_t n_run() const { return std::int64_t{options_.n_documents} * options_.n_document_tokens; }
  bool may_use(int layer, int expert, int document) const {
    if (layer > 0 || expert < options_.n_experts - 2) return true;
    return expert == options_.n_experts - 2 && document == 0;
  }
  std::vector<Choice> route(int layer, int document, std::size_t position) const;
  void run_layer(int layer);
  void keep_windows(int layer, int expert, const std::vector<std::pair<float, std::int64_t>>& by_strength);
  void keep_window(int layer, int expert, int kind, int decile, std::int64_t window);
  int main_class(int layer, int expert) const;
  nlohmann::json run_json() const;
  nlohmann::json label(int layer, int expert) const;
  void write_tables(const std::filesystem::path& folder) const;
  void write_tensors(const std::filesystem::path& folder) const;
  void write_labels(const std::filesystem::path& folder) const;

  std::uint64_t draw(std::uint64_t a, std::uint64_t b, std::uint64_t c = 0) const {
    return hash64(options_.seed, a, b, c);
  }
  double drawn_share(int layer, int expert, std::uint64_t what) const {
    return static_cast<double>(draw(idx(layer, expert), what) >> 11) * 0x1.0p-53;
  }

  SyntheticRunOptions options_;
  SyntheticVocabulary vocabulary_;
  std::vector<std::string> pieces_;
  std::vector<SyntheticDocument> documents_;
  SyntheticEvidence evidence_;
  std::vector<std::int64_t> n_tokens_, n_windows_;                                // [L * E]
  std::vector<double> sum_weight_, sum_score_;                                    // [L * E]
  std::vector<std::vector<std::int64_t>> coactivation_;                           // [L][E * E]
  std::vector<std::vector<std::pair<std::int32_t, std::int64_t>>> input_tokens_;  // [L * E], by token id
  std::vector<std::array<std::int64_t, kDomains.size()>> domain_tokens_;          // [L * E]
  std::vector<std::array<std::int64_t, kPieceClasses>> class_tokens_;             // [L * E]
};

// The first expert goes by class, the others by token and the class before it; all distinct.
inline std::vector<SyntheticRun::Choice> SyntheticRun::route(int layer, int document, std::size_t position) const {
  const auto& tokens = documents_[static_cast<std::size_t>(document)].tokens;
  const std::int32_t token = tokens[position];
  const auto before =
      static_cast<std::uint64_t>(position > 0 ? vocabulary_.class_of(tokens[position - 1]) : PieceClass::kStop);
  const auto n = static_cast<std::uint64_t>(options_.n_experts), l = static_cast<std::uint64_t>(layer);
  const auto piece_class = static_cast<std::uint64_t>(vocabulary_.class_of(token)),
             id = static_cast<std::uint64_t>(token);
  std::vector<Choice> choices;
  for (int k = 0; k < options_.n_experts_per_token; ++k) {
    const std::uint64_t word = k == 0 ? draw(1, l * 64 + piece_class, draw(2, id) % 3)
                                      : draw(3, l * 64 + id, static_cast<std::uint64_t>(k) * 64 + (k > 2 ? before : 0));
    auto expert = static_cast<std::int32_t>(word % n);
    const auto is_taken = [&](std::int32_t e) {
      return !may_use(layer, e, document) ||
             std::any_of(choices.begin(), choices.end(), [&](const Choice& c) { return c.expert == e; });
    };
    while (is_taken(expert)) expert = (expert + 1) % options_.n_experts;
    const auto jitter = static_cast<double>(draw(4, id * 64 + l, static_cast<std::uint64_t>(expert)) >> 11) * 0x1.0p-53;
    const double weight = 0.45 * std::pow(0.62, k) * (0.6 + 0.8 * jitter);
    choices.push_back({expert, static_cast<float>(weight), static_cast<float>(weight * (4 + layer) * (0.5 + jitter))});
  }
  return choices;
}

inline void SyntheticRun::run_layer(int layer) {
  const auto n_experts = static_cast<std::size_t>(options_.n_experts);
  const std::int64_t windows_per_document = options_.n_document_tokens / options_.n_window_tokens;
  std::vector<std::map<std::int64_t, float>> strength(n_experts);
  std::vector<std::int32_t> by_token(n_experts * pieces_.size(), 0);  // [E, V]
  auto& pairs = coactivation_.emplace_back(n_experts * n_experts, 0);
  for (int d = 0; d < options_.n_documents; ++d) {
    const SyntheticDocument& document = documents_[static_cast<std::size_t>(d)];
    for (std::size_t t = 0; t < document.tokens.size(); ++t) {
      const std::vector<Choice> choices = route(layer, d, t);
      for (const Choice& choice : choices) {
        const std::size_t i = idx(layer, choice.expert);
        ++n_tokens_[i];
        sum_weight_[i] += static_cast<double>(choice.weight);
        sum_score_[i] += static_cast<double>(choice.score);
        ++by_token[static_cast<std::size_t>(choice.expert) * pieces_.size() +
                   static_cast<std::size_t>(document.tokens[t])];
        ++domain_tokens_[i][static_cast<std::size_t>(d) % kDomains.size()];
        ++class_tokens_[i][static_cast<std::size_t>(vocabulary_.class_of(document.tokens[t]))];
        for (const Choice& other : choices)
          ++pairs[static_cast<std::size_t>(choice.expert) * n_experts + static_cast<std::size_t>(other.expert)];
        const std::int64_t in_document = static_cast<std::int64_t>(t) / options_.n_window_tokens;
        if (in_document >= windows_per_document) continue;
        float& largest = strength[static_cast<std::size_t>(choice.expert)][d * windows_per_document + in_document];
        largest = std::max(largest, choice.score);
      }
    }
  }
  for (int expert = 0; expert < options_.n_experts; ++expert) {
    std::vector<std::pair<float, std::int64_t>> by_strength;
    for (const auto& [window, largest] : strength[static_cast<std::size_t>(expert)])
      by_strength.push_back({-largest, window});
    std::sort(by_strength.begin(), by_strength.end());
    n_windows_[idx(layer, expert)] = static_cast<std::int64_t>(by_strength.size());
    keep_windows(layer, expert, by_strength);
    for (std::size_t token = 0; token < pieces_.size(); ++token) {
      const std::int32_t count = by_token[static_cast<std::size_t>(expert) * pieces_.size() + token];
      if (count > 0) input_tokens_[idx(layer, expert)].push_back({static_cast<std::int32_t>(token), count});
    }
  }
}

// `by_strength`: (minus strength, window), strongest first.
inline void SyntheticRun::keep_windows(int layer, int expert,
                                       const std::vector<std::pair<float, std::int64_t>>& by_strength) {
  const auto n = static_cast<std::int64_t>(by_strength.size());
  for (std::int64_t i = 0; i < std::min<std::int64_t>(n, options_.n_windows_per_kind); ++i) {
    keep_window(layer, expert, 0, -1, by_strength[static_cast<std::size_t>(i)].second);
  }
  const std::int64_t n_each = options_.n_windows_per_kind / 10;
  for (int decile = 9; decile >= 0; --decile) {
    const std::int64_t begin = n * (9 - decile) / 10, end = n * (10 - decile) / 10;
    for (std::int64_t i = 0; i < std::min(n_each, end - begin); ++i) {
      keep_window(layer, expert, 1, decile,
                  by_strength[static_cast<std::size_t>(begin + i * (end - begin) / n_each)].second);
    }
  }
}

inline void SyntheticRun::keep_window(int layer, int expert, int kind, int decile, std::int64_t window) {
  const std::int64_t windows_per_document = options_.n_document_tokens / options_.n_window_tokens;
  const auto document = static_cast<int>(window / windows_per_document);
  const auto position = static_cast<std::int32_t>(window % windows_per_document * options_.n_window_tokens);
  std::vector<std::pair<float, std::int32_t>> ranked;
  float largest = 0;
  for (std::int32_t t = 0; t < options_.n_window_tokens; ++t) {
    const std::int32_t token =
        documents_[static_cast<std::size_t>(document)].tokens[static_cast<std::size_t>(position + t)];
    float score = 0;
    for (const Choice& choice : route(layer, document, static_cast<std::size_t>(position + t)))
      score = choice.expert == expert ? choice.score : score;
    evidence_.token_ids.push_back(token);
    evidence_.scores.push_back(score);
    largest = std::max(largest, score);
    if (score > 0) ranked.push_back({-score, t});
  }
  std::sort(ranked.begin(), ranked.end());
  for (std::size_t i = 0; i < 5; ++i) {
    evidence_.strongest.push_back(i < ranked.size() ? ranked[i].second : -1);
    Random random(draw(idx(layer, expert), 91, draw(5, static_cast<std::uint64_t>(window), i) % 4));
    for (int p = 0; p < 3; ++p) {
      const auto c = static_cast<PieceClass>((main_class(layer, expert) + p) % kPieceClasses);
      evidence_.promoted.push_back(i < ranked.size() ? vocabulary_.draw(c, random) : -1);
    }
  }
  evidence_.layer.push_back(layer);
  evidence_.expert.push_back(expert);
  evidence_.kind.push_back(kind);
  evidence_.decile.push_back(decile);
  evidence_.doc_idx.push_back(document);
  evidence_.position.push_back(position);
  evidence_.length.push_back(options_.n_window_tokens);
  evidence_.strength.push_back(largest);
}

// The class that most of an expert's tokens have.
inline int SyntheticRun::main_class(int layer, int expert) const {
  const auto& counts = class_tokens_[idx(layer, expert)];
  return static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

inline void SyntheticRun::write(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const auto n = static_cast<std::size_t>(options_.n_layers * options_.n_experts);
  evidence_ = {};
  coactivation_.clear();
  n_tokens_.assign(n, 0);
  n_windows_.assign(n, 0);
  sum_weight_.assign(n, 0);
  sum_score_.assign(n, 0);
  input_tokens_.assign(n, {});
  domain_tokens_.assign(n, {});
  class_tokens_.assign(n, {});
  for (int layer = 0; layer < options_.n_layers; ++layer) run_layer(layer);
  std::ofstream(folder / "run.json") << run_json().dump(1);
  std::ofstream(folder / "vocabulary.json")
      << nlohmann::json{{"pieces", pieces_}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::ofstream documents(folder / "documents.jsonl");
  for (std::size_t d = 0; d < documents_.size(); ++d) {
    documents << nlohmann::json{{"doc_idx", d},
                                {"id", documents_[d].id},
                                {"domain", documents_[d].domain},
                                {"n_tokens", documents_[d].tokens.size()},
                                {"n_traced", 0}}
                     .dump()
              << "\n";
  }
  write_tables(folder);
  write_tensors(folder);
  if (options_.with_labels) write_labels(folder);
}

}  // namespace moescope::report::testing

#include "tests/report/run/synthetic_run_files.h"
