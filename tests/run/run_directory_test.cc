#include "moescope/run/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "moescope/io/file.h"
#include "moescope/run/catalogue.h"
#include "moescope/run/run_json.h"
#include "tests/io/temporary_folder.h"

namespace moescope::run {
namespace {

using io::error_of;
using io::TemporaryFolder;
using io::write_file_atomically;
using testing::HasSubstr;

TEST(RunDirectory, IsCreatedAndTakenAgain) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "runs" / "one";
  create_run_directory(run);
  EXPECT_TRUE(std::filesystem::is_directory(run));
  write_file_atomically(run / "documents.jsonl.tmp", "");
  create_run_directory(run);
  write_file_atomically(run / "run.json", R"({"schema": 1})");
  write_file_atomically(run / "notes.txt", "mine");  // a run may be annotated
  create_run_directory(run);
  EXPECT_EQ(read_run_json(run).at("schema"), 1);
}

TEST(RunDirectory, RefusesAFolderOfSomethingElse) {
  const TemporaryFolder folder;
  folder.write("thesis.tex", "");
  EXPECT_THAT(error_of([&] { create_run_directory(folder.path()); }), HasSubstr("\"thesis.tex\""));
  EXPECT_THAT(error_of([&] { create_run_directory(folder.path() / "thesis.tex"); }), HasSubstr("is a file"));
  EXPECT_THAT(error_of([&] { create_run_directory(folder.path() / "thesis.tex" / "run"); }),
              HasSubstr("cannot create"));
}

TEST(RunDirectory, ReadsOnlySchemasItKnows) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { read_run_json(folder.path()); }), HasSubstr("not a run directory"));
  for (const char* bad : {"[]", "{}", R"({"schema": "1"})", R"({"schema": 0})", R"({"schema": 1.5})"}) {
    folder.write("run.json", bad);
    EXPECT_THAT(error_of([&] { read_run_json(folder.path()); }), HasSubstr("schema")) << bad;
  }
  folder.write("run.json", R"({"schema": 3})");
  EXPECT_THAT(error_of([&] { read_run_json(folder.path()); }), HasSubstr("schema 3 is newer"));
}

nlohmann::json identity(int seed) { return make_identity("record", {{"seed", seed}, {"tokens", 5}}, {{"model", "m"}}); }

TEST(RunDirectory, BelongsToOneRunFromItsFirstStateToDone) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  const auto first = RunDirectory::open(run, identity(1));
  EXPECT_EQ(first.standing(), RunDirectory::Standing::kNew);
  first.begin();
  EXPECT_EQ(RunDirectory::open(run, identity(2)).standing(), RunDirectory::Standing::kNew);  // nothing was saved yet
  first.claim();
  EXPECT_EQ(RunDirectory::open(run, identity(1)).standing(), RunDirectory::Standing::kStopped);
  EXPECT_THAT(error_of([&] { RunDirectory::open(run, identity(2)); }),
              HasSubstr("its seed is 1, that of this one is 2"));
  const Head head = make_head("record", {{"moescope", "record"}, "2026-01-02T03:04:05Z"}, {{"seed", 1}}, identity(1));
  first.finish(to_json(head), false);
  EXPECT_FALSE(std::filesystem::exists(run / "DONE"));
  first.finish(to_json(head));
  EXPECT_TRUE(std::filesystem::exists(run / "DONE"));
  EXPECT_FALSE(std::filesystem::exists(run / "resume"));
  const auto complete = RunDirectory::open(run, identity(1));
  EXPECT_EQ(complete.standing(), RunDirectory::Standing::kComplete);
  EXPECT_EQ(complete.run().at("date"), "2026-01-02T03:04:05Z");
  EXPECT_EQ(complete.run().at("command_line").at(1), "record");
  EXPECT_THAT(error_of([&] { RunDirectory::open(run, identity(2)); }), HasSubstr("holds another run"));
  begin_step(run);
  EXPECT_FALSE(std::filesystem::exists(run / "DONE"));
}

TEST(RunDirectory, TakesTheFilesOfEveryKindOfRunForItsOwn) {
  for (const char* name : {"superposition.csv", "superposition.parquet", "summary.csv", "specialization.csv",
                           "run.json", "evidence.parquet", "labels.jsonl.tmp", "DONE", "resume", "train_log.csv"}) {
    EXPECT_TRUE(belongs_to_a_run(name)) << name;
  }
  for (const char* name : {"thesis.tex", "resume.pdf", ".tmp", ""}) EXPECT_FALSE(belongs_to_a_run(name)) << name;
}

TEST(RunIdentity, OfSchema1IsComparedAsFarAsItGoes) {
  const nlohmann::json old = {{"command", "record"}, {"seed", 1}, {"model hash", "m"}};
  EXPECT_NO_THROW(require_same_run(old, identity(1), "run"));  // it said nothing of tokens
  EXPECT_THAT(error_of([&] {
                require_same_run(old, make_identity("record", {}, {{"model", "x"}}), "run");
              }),
              HasSubstr("model_hash"));
  EXPECT_THAT(error_of([&] { require_same_run(old, make_identity("toy", {}, {}), "run"); }), HasSubstr("command"));
  EXPECT_THAT(error_of([&] {
                require_same_run(old, make_identity("record", {{"shared_experts", true}}, {}), "run");
              }),
              HasSubstr("shared_experts"));  // they were left out
  nlohmann::json shorter = identity(1);
  shorter.erase("tokens");
  EXPECT_THAT(error_of([&] { require_same_run(shorter, identity(1), "run"); }), HasSubstr("tokens"));
  EXPECT_THAT(error_of([&] { require_same_run(nullptr, identity(1), "run"); }), HasSubstr("does not say"));
}

}  // namespace
}  // namespace moescope::run
