#include "moescope/label/traced_run.h"

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "moescope/base/error.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/run_directory.h"

namespace moescope::label {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

int positive_int(const json& object, const char* key, const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) throw input_error("no whole number '{}'", key).at(place);
  const auto value = found->get<std::int64_t>();
  if (value < 1 || value > 1'000'000) throw input_error("'{}' is {}", key, value).at(place);
  return static_cast<int>(value);
}

std::vector<std::string> read_vocabulary(const fs::path& path) {
  json vocabulary = json::parse(io::read_file(path), nullptr, false);
  if (vocabulary.is_discarded()) throw input_error("not JSON").at(path.string());
  const bool listed = vocabulary.is_object() && vocabulary.contains("pieces") && vocabulary["pieces"].is_array();
  if (!listed) throw input_error("no list 'pieces'").at(path.string());
  std::vector<std::string> pieces;
  for (const json& piece : vocabulary["pieces"]) {
    if (!piece.is_string()) throw input_error("piece {} is not text", pieces.size()).at(path.string());
    pieces.push_back(piece.get<std::string>());
  }
  return pieces;
}

std::vector<TracedDocument> read_documents(const fs::path& path) {
  std::istringstream lines(io::read_file(path));
  std::vector<TracedDocument> documents;
  std::string line;
  for (int line_no = 1; std::getline(lines, line); ++line_no) {
    const std::string place = path.string() + ":" + std::to_string(line_no);
    const json document = json::parse(line, nullptr, false);
    if (document.is_discarded() || !document.is_object()) throw input_error("not a JSON object").at(place);
    const auto index = document.find("doc_idx");
    if (index == document.end() || !index->is_number_integer()) throw input_error("no 'doc_idx'").at(place);
    if (index->get<std::int64_t>() != static_cast<std::int64_t>(documents.size())) {
      throw input_error("doc_idx is {}, expected {}", index->get<std::int64_t>(), documents.size()).at(place);
    }
    TracedDocument read;
    const auto text_of = [&](const char* key) {
      const auto found = document.find(key);
      if (found == document.end() || found->is_null()) return std::string();
      if (!found->is_string()) throw input_error("'{}' is not text", key).at(place);
      return found->get<std::string>();
    };
    read.id = text_of("id");
    read.domain = text_of("domain");
    read.text = text_of("text");
    documents.push_back(std::move(read));
  }
  return documents;
}

template <typename T>
std::vector<T> read_tensor(const io::SafetensorsFile& file, const std::string& name,
                           const std::vector<std::int64_t>& shape) {
  const io::TensorView& tensor = file.at(name);
  if (tensor.shape != shape) {
    const auto text = [](const std::vector<std::int64_t>& s) { return fmt::format("[{}]", fmt::join(s, ", ")); };
    throw input_error("shape {}, expected {}", text(tensor.shape), text(shape)).at(file.path().string() + ": " + name);
  }
  return tensor.to_vector<T>();
}

std::int64_t first_dimension(const io::SafetensorsFile& file, const std::string& name) {
  const io::TensorView& tensor = file.at(name);
  if (tensor.shape.size() != 1) {
    throw input_error("{} dimensions, expected 1", tensor.shape.size()).at(file.path().string() + ": " + name);
  }
  return tensor.shape[0];
}

void check_scores(const std::vector<float>& scores, const std::string& place) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!std::isfinite(scores[i]) || scores[i] < 0) throw input_error("score {} at element {}", scores[i], i).at(place);
  }
}

void check_routing(const LayerRouting& routing, int n_experts, const std::string& place) {
  for (std::size_t i = 0; i < routing.expert_ids.size(); ++i) {
    if (routing.expert_ids[i] < 0 || routing.expert_ids[i] >= n_experts) {
      throw input_error("expert {} at element {}, expected 0 to {}", routing.expert_ids[i], i, n_experts - 1)
          .at(place + ".expert_ids");
    }
  }
  check_scores(routing.scores, place + ".scores");
  check_scores(routing.shared_scores, place + ".shared_scores");
}

TracedEvidence read_evidence(const fs::path& path) {
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  const std::int64_t n = first_dimension(file, "layer");
  TracedEvidence evidence;
  evidence.layer = read_tensor<std::int32_t>(file, "layer", {n});
  evidence.expert = read_tensor<std::int32_t>(file, "expert", {n});
  evidence.kind = read_tensor<std::int32_t>(file, "kind", {n});
  evidence.decile = read_tensor<std::int32_t>(file, "decile", {n});
  evidence.doc_idx = read_tensor<std::int32_t>(file, "doc_idx", {n});
  evidence.position = read_tensor<std::int32_t>(file, "position", {n});
  evidence.promoted =
      read_tensor<std::int32_t>(file, "promoted", {n, TracedEvidence::kStrongest, TracedEvidence::kPromoted});
  return evidence;
}

void check_tokens(const TracedRun& run, const std::string& place) {
  const TracedTokens& tokens = run.tokens;
  const auto n_pieces = static_cast<std::int32_t>(run.pieces.size());
  const auto n_documents = static_cast<std::int32_t>(run.documents.size());
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto fail = [&](const char* what, std::int64_t value) {
      return input_error("token {}: {} is {}", t, what, value).at(place);
    };
    if (tokens.token_id[t] < 0 || tokens.token_id[t] >= n_pieces) throw fail("token_ids", tokens.token_id[t]);
    if (tokens.doc_idx[t] < 0 || tokens.doc_idx[t] >= n_documents) throw fail("doc_idx", tokens.doc_idx[t]);
    if (tokens.position[t] < 0) throw fail("position", tokens.position[t]);
    if (tokens.context_position[t] < 0) throw fail("context_position", tokens.context_position[t]);
    const std::string& text = run.documents[static_cast<std::size_t>(tokens.doc_idx[t])].text;
    if (tokens.byte_begin[t] < 0) throw fail("byte_begin", tokens.byte_begin[t]);
    if (tokens.byte_end[t] < tokens.byte_begin[t]) throw fail("byte_end", tokens.byte_end[t]);
    if (static_cast<std::size_t>(tokens.byte_end[t]) > text.size()) {
      throw fail("byte_end", tokens.byte_end[t])
          .hint(fmt::format("the text of document {} has {} bytes", tokens.doc_idx[t], text.size()));
    }
  }
}

}  // namespace

std::string_view TracedRun::text_of(std::size_t token_idx) const {
  const std::string& text = documents[static_cast<std::size_t>(tokens.doc_idx[token_idx])].text;
  const auto begin = static_cast<std::size_t>(tokens.byte_begin[token_idx]);
  return std::string_view(text).substr(begin, static_cast<std::size_t>(tokens.byte_end[token_idx]) - begin);
}

void check_traced_run(const TracedRun& run, const std::string& place) {
  if (run.tokens.size() == 0) throw input_error("no traced tokens").at(place).hint("record with a trace");
  check_tokens(run, place);
  const TracedEvidence& evidence = run.evidence;
  const auto n_pieces = static_cast<std::int32_t>(run.pieces.size());
  for (std::size_t w = 0; w < evidence.size(); ++w) {
    const bool known = evidence.layer[w] >= 0 && evidence.layer[w] < run.n_layers && evidence.expert[w] >= 0 &&
                       evidence.expert[w] < run.n_experts + (run.shared_layers.contains(evidence.layer[w]) ? 1 : 0);
    if (!known) {
      throw input_error("evidence row {} is of layer {}, expert {}", w, evidence.layer[w], evidence.expert[w])
          .at(place);
    }
  }
  for (std::size_t i = 0; i < evidence.promoted.size(); ++i) {
    if (evidence.promoted[i] < -1 || evidence.promoted[i] >= n_pieces) {
      throw input_error("evidence: promoted token {} at element {}", evidence.promoted[i], i).at(place);
    }
  }
}

TracedRun read_traced_run(const std::filesystem::path& run_directory) {
  const json run_json = run::read_run_json(run_directory);
  const std::string place = (run_directory / "run.json").string();
  if (!run_json.contains("model") || !run_json["model"].is_object()) throw input_error("no object 'model'").at(place);
  TracedRun run;
  run.n_layers = positive_int(run_json["model"], "n_layers", place);
  run.n_experts = positive_int(run_json["model"], "n_experts", place);
  run.n_experts_per_token = positive_int(run_json["model"], "n_experts_per_token", place);
  if (const auto dense = run_json["model"].find("dense_layers"); dense != run_json["model"].end()) {
    for (const json& layer : *dense) {
      if (!layer.is_number_integer()) throw input_error("'dense_layers' is {}", dense->dump()).at(place);
      run.dense_layers.insert(layer.get<int>());
    }
  }
  run.pieces = read_vocabulary(run_directory / "vocabulary.json");
  run.documents = read_documents(run_directory / "documents.jsonl");

  const auto trace =
      std::make_shared<const io::SafetensorsFile>(io::SafetensorsFile::open(run_directory / "trace.safetensors"));
  const std::int64_t n = first_dimension(*trace, "token_ids");
  TracedTokens& tokens = run.tokens;
  tokens.token_id = read_tensor<std::int32_t>(*trace, "token_ids", {n});
  tokens.doc_idx = read_tensor<std::int32_t>(*trace, "doc_idx", {n});
  tokens.position = read_tensor<std::int32_t>(*trace, "position", {n});
  tokens.context_position = read_tensor<std::int32_t>(*trace, "context_position", {n});
  tokens.byte_begin = read_tensor<std::int32_t>(*trace, "byte_begin", {n});
  tokens.byte_end = read_tensor<std::int32_t>(*trace, "byte_end", {n});
  const auto shared_name = [](int layer_idx) { return "layers." + std::to_string(layer_idx) + ".shared_scores"; };
  for (int layer_idx = 0; layer_idx < run.n_layers; ++layer_idx) {
    if (trace->contains(shared_name(layer_idx))) run.shared_layers.insert(layer_idx);
  }
  const int n_experts = run.n_experts;
  const std::int64_t k = run.n_experts_per_token;
  run.routing = [trace, n, k, n_experts, shared_name](int layer_idx) {
    const std::string name = "layers." + std::to_string(layer_idx);
    LayerRouting routing;
    routing.expert_ids = read_tensor<std::int32_t>(*trace, name + ".expert_ids", {n, k});
    routing.scores = read_tensor<float>(*trace, name + ".scores", {n, k});
    if (trace->contains(shared_name(layer_idx))) {
      routing.shared_scores = read_tensor<float>(*trace, shared_name(layer_idx), {n});
    }
    check_routing(routing, n_experts, trace->path().string() + ": " + name);
    return routing;
  };
  run.evidence = read_evidence(run_directory / "evidence.safetensors");
  check_traced_run(run, trace->path().string());
  return run;
}

std::vector<Context> contexts_of(const TracedTokens& tokens) {
  std::vector<Context> contexts;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const bool goes_on = t > 0 && tokens.doc_idx[t] == tokens.doc_idx[t - 1] &&
                         tokens.position[t] == tokens.position[t - 1] + 1 &&
                         tokens.context_position[t] == tokens.context_position[t - 1] + 1;
    if (!goes_on) contexts.push_back({t, t, tokens.doc_idx[t]});
    contexts.back().end = t + 1;
  }
  return contexts;
}

}  // namespace moescope::label
