#include "moescope/run/record_files.h"

#include <algorithm>
#include <set>
#include <utility>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"

namespace moescope::run {
namespace {

namespace fs = std::filesystem;

void check_place(const char* what, std::int64_t value, std::int64_t n) {
  if (value < 0 || value >= n) throw input_error("{} is {}, expected 0 to {}", what, value, n - 1);
}

// Fills in what older files do not tell; throws for a place that the model does not have.
void check_expert(ExpertId& id, const ModelPart& model) {
  check_place("layer", id.layer, model.n_layers);
  if (id.kind.empty()) id.kind = kind_of(model, id.layer, id.expert);
  check_place("expert", id.expert, model.n_experts + (id.kind == kShared ? 1 : 0));
}

}  // namespace

std::string kind_of(const ModelPart& model, std::int64_t layer, std::int64_t expert) {
  const std::vector<std::int64_t>& dense = model.dense_layers;
  if (model.n_experts == 1 || std::find(dense.begin(), dense.end(), layer) != dense.end()) return kDense;
  return expert < model.n_experts ? kRouted : kShared;
}

void write_vocabulary(const fs::path& folder, const std::vector<std::string>& pieces) {
  io::write_file_atomically(folder / "vocabulary.json", json_line(to_json(Vocabulary{pieces})));
}

std::vector<std::string> read_vocabulary(const fs::path& folder) {
  const fs::path path = folder / "vocabulary.json";
  try {
    return from_json<Vocabulary>(Json(io::read_json(path))).pieces;
  } catch (const Error& error) {
    throw error.at(path.string());
  }
}

std::vector<ExpertRow> read_experts(const fs::path& folder, const ModelPart& model) {
  std::vector<ExpertRow> rows;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for_each_row<ExpertRow>(folder / "experts.csv", [&](ExpertRow row) {
    check_expert(row.id, model);
    if (!seen.insert({row.id.layer, row.id.expert}).second) {
      throw input_error("a second row for layer {}, expert {}", row.id.layer, row.id.expert);
    }
    if (row.n_tokens < 0) throw input_error("n_tokens is {}", row.n_tokens);
    if (row.load_frac && !(*row.load_frac >= 0 && *row.load_frac <= 1)) {
      throw input_error("load_frac is {}", *row.load_frac);
    }
    rows.push_back(std::move(row));
  });
  return rows;
}

std::vector<LayerRow> read_layers(const fs::path& folder, const ModelPart& model) {
  std::vector<LayerRow> rows;
  std::set<std::int64_t> seen;
  for_each_row<LayerRow>(folder / "layers.csv", [&](const LayerRow& row) {
    check_place("layer", row.layer, model.n_layers);
    if (!seen.insert(row.layer).second) throw input_error("a second row for layer {}", row.layer);
    rows.push_back(row);
  });
  return rows;
}

std::vector<DomainRow> read_domains(const fs::path& folder, const ModelPart& model) {
  std::vector<DomainRow> rows;
  for_each_row<DomainRow>(folder / "domains.csv", [&](DomainRow row) {
    check_expert(row.id, model);
    if (row.n_tokens < 0) throw input_error("n_tokens is {}", row.n_tokens);
    rows.push_back(std::move(row));
  });
  return rows;
}

}  // namespace moescope::run
