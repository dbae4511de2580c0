#include "moescope/run/run_directory.h"

#include <algorithm>
#include <array>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/io/quote.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/catalogue.h"

namespace moescope::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The identity of a run that was stopped, or nothing if none was stopped here. Programs of schema 1 kept it in other
// places, one for each kind of run.
std::optional<json> stopped_identity(const fs::path& resume) {
  const auto of_kind = [](json identity, const char* command) {
    if (identity.is_object()) identity["command"] = command;
    return identity;
  };
  if (fs::exists(resume / "identity.json")) return io::read_json(resume / "identity.json");
  if (fs::exists(resume / "probe.json")) return of_kind(io::read_json(resume / "probe.json"), "probe");
  if (fs::exists(resume / "settings.json")) return of_kind(io::read_json(resume / "settings.json"), "toy");
  if (!fs::exists(resume / "state.safetensors")) return std::nullopt;
  const io::SafetensorsFile state = io::SafetensorsFile::open(resume / "state.safetensors");
  const auto found = state.metadata().find("identity");
  if (found == state.metadata().end()) return std::nullopt;
  return of_kind(json::parse(found->second, nullptr, false), "record");
}

std::string spelled_now(std::string key) {
  std::replace(key.begin(), key.end(), ' ', '_');
  return key;
}

int schema_of(const json& identity) {
  const auto found = identity.find("schema");
  return found == identity.end() || !found->is_number_integer() ? 1 : found->get<int>();
}

}  // namespace

json make_identity(const std::string& command, json settings, const std::map<std::string, std::string>& hashes) {
  settings["schema"] = kSchema;
  settings["command"] = command;
  for (const auto& [name, hash] : hashes) settings[name + "_hash"] = hash;
  return settings;
}

void require_same_run(const json& found, const json& asked, const fs::path& folder) {
  if (!found.is_object()) throw input_error("holds a run that does not say what it is of").at(folder.string());
  json spelled = json::object();
  for (const auto& [key, value] : found.items()) spelled[spelled_now(key)] = value;
  const bool is_older = schema_of(found) < kSchema;
  // What programs of schema 1 left out, where they do not say that they did not: other files of the same settings.
  constexpr std::string_view kLeftOut = "shared_experts";
  for (const auto& [key, value] : asked.items()) {
    if (key == "schema" || (is_older && !spelled.contains(key) && key != kLeftOut)) continue;
    const json other = spelled.contains(key) ? spelled.at(key) : json();
    if (other == value) continue;
    throw input_error("{} holds another run: its {} is {}, that of this one is {}", folder.string(), key, other.dump(),
                      value.dump())
        .hint("choose another folder with option 'out', or remove the folder");
  }
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
    throw input_error("the folder holds files of something else, such as {}", io::quote_name(name))
        .at(folder.string())
        .hint("name a new or an empty folder");
  }
}

RunDirectory::RunDirectory(fs::path folder, json identity)
    : folder_(std::move(folder)), identity_(std::move(identity)) {
  MOESCOPE_ASSERT(identity_.is_object());
}

RunDirectory RunDirectory::open(const fs::path& folder, const json& identity) {
  RunDirectory directory(folder, identity);
  create_run_directory(folder);
  if (fs::exists(folder / "run.json")) {
    directory.run_ = read_run_json(folder);
    require_same_run(identity_of(directory.run_), identity, folder);
    directory.standing_ = Standing::kComplete;
  } else if (const std::optional<json> stopped = stopped_identity(directory.resume())) {
    require_same_run(*stopped, identity, folder);
    directory.standing_ = Standing::kStopped;
  }
  return directory;
}

void RunDirectory::begin() const {
  std::error_code failed;
  fs::create_directories(resume(), failed);
  if (failed) throw environment_error("cannot create {}: {}", resume().string(), failed.message());
  begin_step(folder_);
}

void RunDirectory::claim() const { io::write_file_atomically(resume() / "identity.json", identity_.dump(2) + "\n"); }

void RunDirectory::finish(const nlohmann::ordered_json& run, bool last_step) const {
  io::write_file_atomically(folder_ / "run.json",
                            run.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  std::error_code ignored;  // a state that stays behind is harmless: run.json says that the run is complete
  fs::remove_all(resume(), ignored);
  if (last_step) finish_step(folder_);
}

void begin_step(const fs::path& folder) { fs::remove(folder / "DONE"); }

void finish_step(const fs::path& folder) { io::write_file_atomically(folder / "DONE", ""); }

json read_run_json(const fs::path& folder) {
  const fs::path path = folder / "run.json";
  if (!fs::exists(path)) throw input_error("no run.json: not a run directory").at(folder.string());
  json run = io::read_json(path);
  const auto schema = run.is_object() ? run.find("schema") : run.end();
  if (!run.is_object() || schema == run.end() || !schema->is_number_integer() || schema->get<std::int64_t>() < 1) {
    throw input_error("key \"schema\" must be a positive integer").at(path.string());
  }
  if (schema->get<std::int64_t>() > kSchema) {
    throw input_error("schema {} is newer than this program reads ({})", schema->get<std::int64_t>(), kSchema)
        .at(path.string())
        .hint("use the moescope that wrote it, or a later one");
  }
  return run;
}

json read_run_json(const fs::path& folder, const std::string& command) {
  json run = read_run_json(folder);
  const auto found = run.find("command");
  if (found == run.end() || *found != command) {
    throw input_error("is not a run of `moescope {}`", command).at(folder.string());
  }
  return run;
}

json identity_of(const json& run) {
  for (const char* key : {"identity", "settings"}) {
    if (!run.contains(key) || !run.at(key).is_object()) continue;
    json identity = run.at(key);
    if (run.contains("command")) identity["command"] = run.at("command");
    return identity;
  }
  return nullptr;
}

std::string tool_version() { return MOESCOPE_VERSION; }

}  // namespace moescope::run
