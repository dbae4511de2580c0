#include "moescope/io/run_directory.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/atomic_file.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/quote.h"
#include "moescope/io/safetensors.h"

namespace moescope::io {
namespace {

namespace fs = std::filesystem;

// Whether a name is one that a run writes (docs/run-directory.md): its files, their temporary names, the state that a
// stopped run is resumed from.
bool belongs_to_a_run(std::string name) {
  static const std::set<std::string> kFiles = {"run.json",
                                               "vocabulary.json",
                                               "documents.jsonl",
                                               "trace.safetensors",
                                               "experts.csv",
                                               "experts.parquet",
                                               "layers.csv",
                                               "layers.parquet",
                                               "domains.csv",
                                               "domains.parquet",
                                               "input_tokens.safetensors",
                                               "coactivation.safetensors",
                                               "evidence.parquet",
                                               "evidence.safetensors",
                                               "labels.jsonl",
                                               "label_summary.json",
                                               "report.html",
                                               "probes.csv",
                                               "probes.parquet",
                                               "probe_controls.csv",
                                               "probe_controls.parquet",
                                               "probe_experts.csv",
                                               "probe_samples.safetensors",
                                               "probe_experts.parquet",
                                               "instances.csv",
                                               "instances.parquet",
                                               "features.csv",
                                               "features.parquet",
                                               "losses.csv",
                                               "losses.parquet",
                                               "weights.safetensors",
                                               "DONE"};
  if (name.ends_with(".tmp")) name.resize(name.size() - 4);
  return kFiles.contains(name) || name.starts_with("resume");
}

}  // namespace

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

std::string read_file(const fs::path& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void create_run_directory(const fs::path& folder) {
  std::error_code failed;
  if (fs::exists(folder, failed) && !fs::is_directory(folder, failed)) {
    throw input_error("is a file, a run needs a folder").at(folder.string());
  }
  fs::create_directories(folder, failed);
  if (failed) throw input_error("cannot create the folder: {}", failed.message()).at(folder.string());
  if (fs::exists(folder / "run.json", failed)) return;
  fs::directory_iterator entries(folder, failed);
  if (failed) throw input_error("cannot list the folder: {}", failed.message()).at(folder.string());
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    if (belongs_to_a_run(name)) continue;
    throw input_error("the folder holds files of something else, such as {}", quote_name(name))
        .at(folder.string())
        .hint("name a new or an empty folder");
  }
}

nlohmann::json read_run_json(const fs::path& folder) {
  const fs::path path = folder / "run.json";
  if (!fs::exists(path)) throw input_error("no run.json: not a run directory").at(folder.string());
  nlohmann::json run = read_json(path);
  const auto schema = run.is_object() ? run.find("schema") : run.end();
  if (!run.is_object() || schema == run.end() || !schema->is_number_integer() || schema->get<std::int64_t>() < 1) {
    throw input_error("key \"schema\" must be a positive integer").at(path.string());
  }
  if (schema->get<std::int64_t>() > kRunSchemaVersion) {
    throw input_error("schema {} is newer than this program reads ({})", schema->get<std::int64_t>(), kRunSchemaVersion)
        .at(path.string())
        .hint("use the moescope that wrote it, or a later one");
  }
  return run;
}

}  // namespace moescope::io
