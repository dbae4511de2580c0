// What a run directory is: a folder that one run owns, from its first saved state to DONE.
//
// Every kind of run (record, probe, superpose, toy) opens its folder here, so that one rule tells whose folder
// it is, whether a stopped run may go on, and when a run is complete:
//   - a folder with files of something else is refused;
//   - `identity`, the settings and hashes that make the results, stands in resume/identity.json while the run is under
//     way (of a recording in its state) and in run.json when it is complete; a folder of another identity is never
//     touched;
//   - `run.json` says that the results are complete, and DONE, written last, that no step (label, report, figures) is
//     under way. A step that adds to a run takes DONE away first.
//
// docs/run-directory.md lists the files; catalogue.h is its source. Non-goals: what is in resume/ besides the identity
// (each kind of run saves its own state there), and a lock against a second process.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace moescope::run {

// Written by this program. Every schema from 1 on is read. 2: `expert` is a whole number everywhere and `kind` tells a
// dense or a shared expert; identity keys are spelled with underscores; every run.json holds the same head.
inline constexpr int kSchema = 2;

// How a run came to be, as the program tells the library, which reads no globals and no clock.
struct Invocation {
  std::vector<std::string> command_line;  // empty: the library was called by another program
  std::string date;                       // UTC, "2026-11-25T10:47:00Z"; empty: not told
};

// What makes a run: of two with equal identities the results are equal up to rounding. `settings`: those options that
// results depend on; `hashes`: of the checkpoint, the tokenizer, the text, by name ("model" becomes `model_hash`).
nlohmann::json make_identity(const std::string& command, nlohmann::json settings,
                             const std::map<std::string, std::string>& hashes);

// The one rule for "is this the same run": every key of `asked` is in `found` with an equal value. In an identity of an
// older schema keys with blanks are those with underscores, and a key that it lacks is not compared: programs of that
// schema did not write it. Throws kInput naming the folder and the first difference.
void require_same_run(const nlohmann::json& found, const nlohmann::json& asked, const std::filesystem::path& folder);

// Creates the folder; throws kInput if it is a file or holds files of something else than a run.
void create_run_directory(const std::filesystem::path& folder);

class RunDirectory {
 public:
  enum class Standing { kNew, kStopped, kComplete };

  // Creates the folder, or takes up the one of the same run. Throws kInput as create_run_directory and require_same_run
  // do: a folder of another run is never touched.
  static RunDirectory open(const std::filesystem::path& folder, const nlohmann::json& identity);

  const std::filesystem::path& folder() const { return folder_; }
  Standing standing() const { return standing_; }
  // Of a complete run: its run.json as it stands there.
  const nlohmann::json& run() const { return run_; }
  // FOLDER/resume, for the state that a stopped run goes on from. Made by begin(), gone after finish().
  std::filesystem::path resume() const { return folder_ / "resume"; }

  // The run is under way: makes resume(), and takes DONE away.
  void begin() const;
  // From here on the folder is this run's: writes resume()/identity.json. Not before something is saved that is worth
  // going on from, so that a run that failed at once does not keep its folder from another. (A recording has no need of
  // it: the identity stands in its state.)
  void claim() const;
  // Everything else is written: run.json, then resume() goes, then DONE, unless another step follows at once and
  // writes it.
  void finish(const nlohmann::ordered_json& run, bool last_step = true) const;

 private:
  RunDirectory(std::filesystem::path folder, nlohmann::json identity);

  std::filesystem::path folder_;
  nlohmann::json identity_, run_;
  Standing standing_ = Standing::kNew;
};

// A step that adds files to a run that is there already.
void begin_step(const std::filesystem::path& folder);   // takes DONE away
void finish_step(const std::filesystem::path& folder);  // writes DONE

// run.json of a run of any schema up to kSchema; throws kInput if absent, broken or newer.
nlohmann::json read_run_json(const std::filesystem::path& folder);
// The same, and throws kInput if it is not a run of `moescope COMMAND`.
nlohmann::json read_run_json(const std::filesystem::path& folder, const std::string& command);

// The identity of a run, of its run.json; of schema 1 where there is none: the settings.
nlohmann::json identity_of(const nlohmann::json& run);

// The version of this program, for run.json.
std::string tool_version();

}  // namespace moescope::run
