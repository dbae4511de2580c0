#include "moescope/report/toy/run.h"

#include <charconv>

#include "moescope/base/error.h"
#include "moescope/io/file.h"
#include "moescope/io/table.h"
#include "moescope/run/run_directory.h"

namespace moescope::report {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Names of a header line; fields of our own tables need no quotes there.
std::vector<std::string> header_of(const fs::path& path) {
  const std::string text = io::read_file(path);
  std::vector<std::string> names;
  std::string name;
  for (const char c : text.substr(0, text.find('\n')) + ",") {
    if (c == ',') names.push_back(std::exchange(name, ""));
    if (c != ',' && c != '\r') name += c;
  }
  return names;
}

}  // namespace

ToyTable ToyTable::read(const fs::path& path) {
  io::Table like;
  for (const std::string& name : header_of(path)) like.columns.push_back({name, io::TextColumn()});
  const io::Table read = io::read_csv(path, like);
  ToyTable table;
  table.path_ = path;
  table.n_rows_ = read.n_rows();
  for (const io::Column& column : read.columns) {
    std::vector<std::string>& fields = table.columns_[column.name];
    for (const auto& field : std::get<io::TextColumn>(column.values)) fields.push_back(field.value_or(""));
  }
  return table;
}

const std::string& ToyTable::text(const std::string& column, std::size_t row) const {
  const auto found = columns_.find(column);
  if (found == columns_.end()) throw input_error("no column '{}'", column).at(path_.string());
  return found->second.at(row);
}

std::optional<double> ToyTable::real(const std::string& column, std::size_t row) const {
  const std::string& field = text(column, row);
  if (field.empty()) return std::nullopt;
  double value = 0;
  const auto [end, failed] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (failed != std::errc() || end != field.data() + field.size()) {
    throw input_error("row {}: {} is '{}', expected a number", row + 1, column, field).at(path_.string());
  }
  return value;
}

std::int64_t ToyTable::integer(const std::string& column, std::size_t row) const {
  const std::string& field = text(column, row);
  std::int64_t value = 0;
  const auto [end, failed] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (field.empty() || failed != std::errc() || end != field.data() + field.size()) {
    throw input_error("row {}: {} is '{}', expected a whole number", row + 1, column, field).at(path_.string());
  }
  return value;
}

std::int64_t ToyRun::architecture_idx(const std::string& name) const {
  for (std::size_t a = 0; a < architectures.size(); ++a) {
    if (architectures[a].name == name) return static_cast<std::int64_t>(a);
  }
  throw input_error("no architecture '{}'", name).at((folder / "run.json").string());
}

ToyRun read_toy_run(const fs::path& folder) {
  ToyRun result;
  result.folder = folder;
  result.run = run::read_run_json(folder);
  if (result.run.value("command", "") != "toy") {
    throw input_error("is not a folder of `moescope toy`").at(folder.string());
  }
  try {
    const json& settings = result.run.at("settings");
    result.experiment = settings.at("experiment").get<std::string>();
    for (const json& each : settings.at("architectures")) {
      result.architectures.push_back({each.at("name").get<std::string>(), each.at("n_features").get<std::int64_t>(),
                                      each.at("n_dims").get<std::int64_t>(), each.at("n_experts").get<std::int64_t>(),
                                      each.at("n_active").get<std::int64_t>(), each});
    }
  } catch (const json::exception& error) {
    throw input_error("settings: {}", error.what()).at((folder / "run.json").string());
  }
  result.instances = ToyTable::read(folder / "instances.csv");
  if (fs::exists(folder / "experts.csv")) result.experts = ToyTable::read(folder / "experts.csv");
  if (fs::exists(folder / "features.csv")) result.features = ToyTable::read(folder / "features.csv");
  result.weights = io::SafetensorsFile::open(folder / "weights.safetensors");
  return result;
}

}  // namespace moescope::report
