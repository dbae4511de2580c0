#include "moescope/report/run/reported_run.h"

#include <functional>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/report/run/run_files.h"
#include "moescope/run/run_directory.h"

namespace moescope::report {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Limits that no real model comes near; they keep a damaged run.json from asking for all memory.
constexpr int kMaxLayers = 4096;
constexpr int kMaxExperts = 65536;
constexpr std::size_t kMaxAllExperts = 4u << 20;

int size_of_model(const json& run, const char* key, int max, const fs::path& path) {
  const json* model = run.contains("model") ? &run.at("model") : nullptr;
  const bool there = model != nullptr && model->is_object() && model->contains(key);
  if (!there || !model->at(key).is_number_integer()) {
    throw input_error("model.{} is absent or not an integer", key).at(path.string());
  }
  const auto value = model->at(key).get<std::int64_t>();
  if (value < 1 || value > max)
    throw input_error("model.{} is {}, expected 1 to {}", key, value, max).at(path.string());
  return static_cast<int>(value);
}

std::vector<std::string> read_vocabulary(const fs::path& path) {
  const json vocabulary = io::read_json(path);
  if (!vocabulary.is_object() || !vocabulary.contains("pieces") || !vocabulary.at("pieces").is_array()) {
    throw input_error("no list \"pieces\"").at(path.string());
  }
  std::vector<std::string> pieces;
  pieces.reserve(vocabulary.at("pieces").size());
  for (const json& piece : vocabulary.at("pieces")) {
    if (!piece.is_string()) throw input_error("pieces[{}] is not a string", pieces.size()).at(path.string());
    pieces.push_back(piece.get<std::string>());
  }
  return pieces;
}

void require_file(const fs::path& folder, const char* name) {
  if (fs::exists(folder / name)) return;
  throw input_error("no {}: the run is not complete", name)
      .at(folder.string())
      .hint("`moescope record` writes it; a stopped record goes on with the same command");
}

}  // namespace

std::int64_t ReportedRun::n_labelled() const {
  std::int64_t n = 0;
  for (const json& label : labels) n += !label.is_null() && label.at("status") == "ok" ? 1 : 0;
  return n;
}

ReportedRun read_reported_run(const fs::path& folder) {
  if (!fs::is_directory(folder)) throw input_error("no such folder").at(folder.string());
  ReportedRun data;
  data.folder = folder;
  data.run = run::read_run_json(folder);
  const fs::path run_json = folder / "run.json";
  data.n_layers = size_of_model(data.run, "n_layers", kMaxLayers, run_json);
  data.n_experts = size_of_model(data.run, "n_experts", kMaxExperts, run_json);
  data.n_experts_per_token = size_of_model(data.run, "n_experts_per_token", data.n_experts, run_json);
  const json& model = data.run.at("model");
  if (model.contains("d_shared") && !model.at("d_shared").is_number_integer()) {
    throw input_error("model.d_shared is not an integer").at(run_json.string());
  }
  data.has_shared = model.value("d_shared", std::int64_t{0}) > 0;
  if (data.n_all_experts() > kMaxAllExperts) {
    throw input_error("{} layers of {} experts are too many", data.n_layers, data.n_experts).at(run_json.string());
  }
  require_file(folder, "vocabulary.json");
  require_file(folder, "experts.csv");
  data.pieces = read_vocabulary(folder / "vocabulary.json");
  read_experts_csv(data);

  const auto read_optional = [&](const char* name, const char* why, const std::function<void(ReportedRun&)>& read) {
    if (fs::exists(folder / name)) {
      read(data);
    } else {
      data.missing[name] = why;
    }
  };
  read_optional("layers.csv", "not written by record", read_layers_csv);
  read_optional("domains.csv", "not written by record", read_domains_csv);
  read_optional("input_tokens.safetensors", "not written by record", read_input_tokens);
  read_optional("coactivation.safetensors", "not written by record", read_coactivation);
  read_optional("evidence.safetensors", "not written by record", read_evidence);
  read_optional("documents.jsonl", "not written by record", read_documents);
  read_optional("labels.jsonl", "the run is not labelled yet", read_labels);
  read_optional("label_summary.json", "the run is not labelled yet", read_label_summary);
  return data;
}

}  // namespace moescope::report
