#include "moescope/record/resume.h"

#include "moescope/base/error.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/run_directory.h"

namespace moescope::record {
namespace {

nlohmann::json stored_identity(const io::SafetensorsFile& state) {
  const auto it = state.metadata().find("identity");
  const nlohmann::json identity =
      it == state.metadata().end() ? nlohmann::json() : nlohmann::json::parse(it->second, nullptr, false);
  if (!identity.is_object()) throw input_error("{}: not a saved state of a recording", state.path().string());
  return identity;
}

}  // namespace

bool ResumeFolder::has_state() const { return std::filesystem::exists(state_file()); }

void ResumeFolder::save(Recorder& recorder, const nlohmann::json& identity, const Coverage& coverage) const {
  const nlohmann::json place = {{"first_sequence", coverage.first_sequence},
                                {"next_sequence", coverage.next_sequence},
                                {"n_waves", coverage.n_waves},
                                {"seconds", coverage.seconds}};
  recorder.save(state_file(), {{"identity", identity.dump()}, {"standing", place.dump()}});
}

void ResumeFolder::check_identity(const nlohmann::json& identity) const { open_state(identity); }

io::SafetensorsFile ResumeFolder::open_state(const nlohmann::json& identity) const {
  io::SafetensorsFile state = io::SafetensorsFile::open(state_file());
  run::require_same_run(stored_identity(state), identity, folder_.parent_path());
  return state;
}

Coverage ResumeFolder::coverage_of(const io::SafetensorsFile& state) {
  const auto it = state.metadata().find("standing");
  const nlohmann::json place =
      it == state.metadata().end() ? nlohmann::json() : nlohmann::json::parse(it->second, nullptr, false);
  if (!place.is_object() || !place.contains("next_sequence") || !place.contains("n_waves") ||
      !place.contains("seconds")) {
    throw input_error("{}: does not say where the recording stands", state.path().string());
  }
  return {place.value("first_sequence", std::int64_t{0}), place.at("next_sequence").get<std::int64_t>(),
          place.at("n_waves").get<std::int64_t>(), place.at("seconds").get<double>()};
}

Coverage ResumeFolder::load(Recorder& recorder, const nlohmann::json& identity) const {
  const io::SafetensorsFile state = open_state(identity);
  const Coverage coverage = coverage_of(state);
  if (coverage.first_sequence != 0) {
    throw input_error("{} holds a shard of this run, which begins at sequence {}", folder_.parent_path().string(),
                      coverage.first_sequence)
        .hint("merge it with the others, or choose another folder with option 'out'");
  }
  recorder.load(state);
  return coverage;
}

}  // namespace moescope::record
