// Small made-up runs for the tests of the embedded explainer: text is cut into pieces here, and experts follow planted
// rules or none.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/base/random.h"
#include "moescope/io/safetensors.h"
#include "moescope/label/traced_run.h"

namespace moescope::label {

// Words, with the space before them; single digits and signs by themselves; "\n" by itself.
inline std::vector<std::string> cut_into_pieces(const std::string& text) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    if (text[end] == ' ') ++end;
    const auto letter = [&](std::size_t i) {
      return i < text.size() && (std::isalpha(static_cast<unsigned char>(text[i])) != 0);
    };
    if (letter(end)) {
      while (letter(end)) ++end;
    } else if (end == at || (end < text.size() && std::ispunct(static_cast<unsigned char>(text[end])) != 0)) {
      ++end;
    }
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

struct Routed {
  std::int32_t expert;
  float score;
};

// Routing by token: called with run and token index, gives K experts with scores.
using Router = std::function<std::vector<Routed>(const TracedRun&, std::size_t)>;

struct MadeDocument {
  std::string text;
  std::string domain;
};

// One context of at most `context` tokens after another in each document. One layer a router.
inline TracedRun make_run(const std::vector<MadeDocument>& documents, int n_experts, int k,
                          const std::vector<Router>& layers, std::size_t context = 64) {
  TracedRun run;
  run.n_layers = static_cast<int>(layers.size());
  run.n_experts = n_experts;
  run.n_experts_per_token = k;
  std::map<std::string, std::int32_t> ids;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    run.documents.push_back({"doc" + std::to_string(d), documents[d].domain, documents[d].text});
    std::int32_t at = 0, position = 0;
    for (const std::string& piece : cut_into_pieces(documents[d].text)) {
      const auto [found, added] = ids.try_emplace(piece, static_cast<std::int32_t>(run.pieces.size()));
      if (added) run.pieces.push_back(piece);
      run.tokens.token_id.push_back(found->second);
      run.tokens.doc_idx.push_back(static_cast<std::int32_t>(d));
      run.tokens.context_position.push_back(position % static_cast<std::int32_t>(context));
      run.tokens.position.push_back(position++);
      run.tokens.byte_begin.push_back(at);
      at += static_cast<std::int32_t>(piece.size());
      run.tokens.byte_end.push_back(at);
    }
  }
  std::vector<LayerRouting> routing(layers.size());
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (std::size_t t = 0; t < run.tokens.size(); ++t) {
      for (const Routed& routed : layers[l](run, t)) {
        routing[l].expert_ids.push_back(routed.expert);
        routing[l].scores.push_back(routed.score);
      }
    }
  }
  run.routing = [routing](int layer_idx) { return routing[static_cast<std::size_t>(layer_idx)]; };
  return run;
}

// Gives layer 0 a shared expert with a score for each token.
inline void add_shared_expert(TracedRun& run, const std::function<float(const TracedRun&, std::size_t)>& score) {
  std::vector<float> scores;
  for (std::size_t t = 0; t < run.tokens.size(); ++t) scores.push_back(score(run, t));
  run.shared_layers.insert(0);
  run.routing = [routing = run.routing, scores](int layer_idx) {
    LayerRouting layer = routing(layer_idx);
    if (layer_idx == 0) layer.shared_scores = scores;
    return layer;
  };
}

// Random text of words, names with digits after '_', and bare numbers.
inline std::vector<MadeDocument> made_documents(std::size_t n_documents, std::size_t n_words, std::uint64_t seed) {
  static const std::vector<std::string> words = {"tree",    "house",  "river",  "stone",  "light",  "table",
                                                 "paper",   "green",  "window", "garden", "walks",  "sings",
                                                 "quickly", "under",  "yellow", "Anna",   "Peter",  "music",
                                                 "water",   "summer", "letter", "bridge", "silent", "small"};
  static const std::vector<std::string> determiners = {"the", "a", "this", "every", "some"};
  std::vector<MadeDocument> documents;
  Random random(seed);
  for (std::size_t d = 0; d < n_documents; ++d) {
    std::string text;
    for (std::size_t w = 0; w < n_words; ++w) {
      if (!text.empty() && text.back() != '\n') text += ' ';
      const std::uint64_t kind = random.below(10);
      const std::string digit = std::to_string(random.below(10));
      if (kind < 3) {
        text += determiners[random.below(determiners.size())] + " " + words[random.below(words.size())];
      } else if (kind == 3) {
        text += words[random.below(words.size())] + "_" + digit;
      } else if (kind == 4) {
        text += digit;
      } else if (kind == 5) {
        text += words[random.below(words.size())] + ".\n";
      } else {
        text += words[random.below(words.size())];
      }
    }
    documents.push_back({text, d % 2 == 0 ? "even" : "odd"});
  }
  return documents;
}

inline bool is_digit_piece(const std::string& piece) { return piece.size() == 1 && piece[0] >= '0' && piece[0] <= '9'; }

// Expert 2: one token in five, at random. Of the others, expert 0: digits after '_'; expert 1: what follows a
// determiner; expert 3: the rest. A second, weak expert is drawn at random: the router's filler.
inline std::vector<Routed> planted_router(const TracedRun& run, std::size_t t) {
  const auto piece = [&](std::size_t i) { return run.pieces[static_cast<std::size_t>(run.tokens.token_id[i])]; };
  const bool follows = t > 0 && run.tokens.context_position[t] > 0;
  const std::string before = follows ? piece(t - 1) : "";
  const auto is_determiner = [](const std::string& p) {
    return p == " the" || p == " a" || p == " this" || p == " every" || p == " some" || p == "the" || p == "a" ||
           p == "this" || p == "every" || p == "some";
  };
  std::int32_t expert = 3;
  if (hash64(3, t) % 5 == 0) {
    expert = 2;
  } else if (is_digit_piece(piece(t)) && before == "_") {
    expert = 0;
  } else if (is_determiner(before)) {
    expert = 1;
  }
  const auto filler = static_cast<std::int32_t>((static_cast<std::uint64_t>(expert) + 1 + hash64(4, t) % 3) % 4);
  const float noise = static_cast<float>(hash64(5, t) % 1000) / 10000.0f;
  return {{expert, 1.0f + noise}, {filler, 0.01f + noise / 10}};
}

template <typename T>
io::TensorToWrite tensor_of(const std::string& name, io::DType dtype, const std::vector<T>& values,
                            std::vector<std::int64_t> shape) {
  return {name, dtype, std::move(shape), std::as_bytes(std::span<const T>(values))};
}

// Writes what `label` reads. Evidence: one window an expert whose strongest tokens promote piece `expert`.
inline void write_run_directory(const std::filesystem::path& folder, const TracedRun& run) {
  std::filesystem::create_directories(folder);
  const nlohmann::json model = {
      {"n_layers", run.n_layers}, {"n_experts", run.n_experts}, {"n_experts_per_token", run.n_experts_per_token}};
  std::ofstream(folder / "run.json") << nlohmann::json{{"schema", 1}, {"model", model}}.dump();
  std::ofstream(folder / "vocabulary.json") << nlohmann::json{{"pieces", run.pieces}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);  // half characters become U+FFFD
  std::ofstream documents(folder / "documents.jsonl");
  for (std::size_t d = 0; d < run.documents.size(); ++d) {
    nlohmann::json line = {{"doc_idx", d}, {"id", run.documents[d].id}, {"text", run.documents[d].text}};
    line["domain"] =
        run.documents[d].domain.empty() ? nlohmann::json(nullptr) : nlohmann::json(run.documents[d].domain);
    documents << line.dump() << "\n";
  }
  documents.close();
  const auto n = static_cast<std::int64_t>(run.tokens.size());
  std::vector<io::TensorToWrite> tensors = {
      tensor_of("token_ids", io::DType::kI32, run.tokens.token_id, {n}),
      tensor_of("doc_idx", io::DType::kI32, run.tokens.doc_idx, {n}),
      tensor_of("position", io::DType::kI32, run.tokens.position, {n}),
      tensor_of("context_position", io::DType::kI32, run.tokens.context_position, {n}),
      tensor_of("byte_begin", io::DType::kI32, run.tokens.byte_begin, {n}),
      tensor_of("byte_end", io::DType::kI32, run.tokens.byte_end, {n})};
  std::vector<LayerRouting> layers;
  for (int l = 0; l < run.n_layers; ++l) layers.push_back(run.routing(l));
  for (int l = 0; l < run.n_layers; ++l) {
    const std::string name = "layers." + std::to_string(l);
    const LayerRouting& layer = layers[static_cast<std::size_t>(l)];
    tensors.push_back(tensor_of(name + ".expert_ids", io::DType::kI32, layer.expert_ids, {n, run.n_experts_per_token}));
    tensors.push_back(tensor_of(name + ".weights", io::DType::kF32, layer.scores, {n, run.n_experts_per_token}));
    tensors.push_back(tensor_of(name + ".scores", io::DType::kF32, layer.scores, {n, run.n_experts_per_token}));
    if (layer.shared_scores.empty()) continue;
    tensors.push_back(tensor_of(name + ".shared_scores", io::DType::kF32, layer.shared_scores, {n}));
  }
  io::write_safetensors(folder / "trace.safetensors", tensors);

  std::vector<std::int32_t> layer, expert, zero, minus, promoted;
  for (int l = 0; l < run.n_layers; ++l) {
    for (int e = 0; e < run.n_experts + (run.shared_layers.contains(l) ? 1 : 0); ++e) {
      layer.push_back(l);
      expert.push_back(e);
      zero.push_back(0);
      minus.push_back(-1);
      const auto piece = static_cast<std::int32_t>(static_cast<std::size_t>(e) % run.pieces.size());
      for (int i = 0; i < 15; ++i) promoted.push_back(i < 12 ? piece : -1);
    }
  }
  const auto n_windows = static_cast<std::int64_t>(layer.size());
  io::write_safetensors(
      folder / "evidence.safetensors",
      std::vector<io::TensorToWrite>{tensor_of("layer", io::DType::kI32, layer, {n_windows}),
                                     tensor_of("expert", io::DType::kI32, expert, {n_windows}),
                                     tensor_of("kind", io::DType::kI32, zero, {n_windows}),
                                     tensor_of("decile", io::DType::kI32, minus, {n_windows}),
                                     tensor_of("doc_idx", io::DType::kI32, zero, {n_windows}),
                                     tensor_of("position", io::DType::kI32, zero, {n_windows}),
                                     tensor_of("promoted", io::DType::kI32, promoted, {n_windows, 5, 3})});
}

}  // namespace moescope::label
