#include "moescope/label/labeler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/io/file.h"
#include "tests/label/label_fixture.h"

namespace moescope::label {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class LabelDirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              (std::string("moescope_label_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<json> label(const LabelOptions& options = {}) {
    const TracedRun run = read_traced_run(folder_);
    const text::ConceptLibrary concepts = text::ConceptLibrary::built_in();
    const Labels labels = label_experts(run, options, &concepts, Console());
    write_labels(folder_, labels, run, options);
    std::istringstream lines(io::read_file(folder_ / "labels.jsonl"));
    std::vector<json> read;
    for (std::string line; std::getline(lines, line);) read.push_back(json::parse(line));
    summary_ = json::parse(io::read_file(folder_ / "label_summary.json"));
    return read;
  }
  void expect_error(const std::string& part) {
    try {
      read_traced_run(folder_);
      FAIL() << "no error, expected: " << part;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }

  fs::path folder_;
  json summary_;
};

TEST_F(LabelDirectory, PlantedRulesAreFoundAndBeatTheControlsAndChanceDoesNot) {
  write_run_directory(folder_, make_run(made_documents(80, 120, 1), 4, 2, {planted_router}));
  const std::vector<json> labels = label();
  ASSERT_EQ(labels.size(), 4u);
  for (int e : {0, 1}) {
    const json& l = labels[static_cast<std::size_t>(e)];
    EXPECT_EQ(l["status"], "ok") << l;
    EXPECT_GT(l["scores"]["rule"]["f1"], 0.8)  // one in five is taken away by expert 2
        << l["rule"]["text"];
    EXPECT_TRUE(l["beats_most_frequent_tokens"].get<bool>()) << l;
    EXPECT_TRUE(l["beats_random_expert"].get<bool>());
    EXPECT_TRUE(l["beats_both"].get<bool>());
    EXPECT_GT(l["difference"]["most_frequent_tokens"]["low"], 0);
    EXPECT_EQ(l["scores"]["rule"]["n"], l["scores"]["always"]["n"]);
    EXPECT_NE(l["random_expert_idx"], e);
    EXPECT_EQ(l["evidence_rows"], json::array({e}));
  }
  EXPECT_THAT(labels[0]["label"].get<std::string>(), HasSubstr("after '_'"));
  EXPECT_THAT(labels[1]["label"].get<std::string>(), HasSubstr("determiners"));
  // The expert that fires at random: no rule, or one that is no better than the controls.
  EXPECT_FALSE(labels[2]["beats_both"].get<bool>()) << labels[2];
  EXPECT_EQ(summary_["n_experts"], 4);
  EXPECT_EQ(summary_["layers"].size(), 1u);
  EXPECT_EQ(summary_["split"]["unit"], "document");
  EXPECT_EQ(summary_["beats_both_frac"]["n"], 4);
  EXPECT_LT(summary_["beats_both_frac"]["low"], summary_["beats_both_frac"]["value"]);
}

// Every token reaches it: what it takes strongly is told from the rest, and the labels of routed experts stay as they
// are without it.
TEST_F(LabelDirectory, ASharedExpertIsLabelledByWhatItTakesMostStrongly) {
  TracedRun run = make_run(made_documents(80, 120, 1), 4, 2, {planted_router});
  write_run_directory(folder_, run);
  const std::vector<json> without = label();
  const json summary_without = summary_;
  add_shared_expert(run, [](const TracedRun& r, std::size_t t) {
    const bool digit = is_digit_piece(r.pieces[static_cast<std::size_t>(r.tokens.token_id[t])]);
    return (digit ? 20.0f : 1.0f) + static_cast<float>(hash64(9, t) % 100) / 1000;
  });
  write_run_directory(folder_, run);
  const std::vector<json> labels = label();
  ASSERT_EQ(labels.size(), 5u);
  for (std::size_t e = 0; e < 4; ++e) EXPECT_EQ(labels[e], without[e]) << e;
  const json& shared = labels[4];
  EXPECT_EQ(shared["expert"], 4);
  EXPECT_EQ(shared["kind"], "shared");
  EXPECT_EQ(labels[3]["kind"], "routed");
  EXPECT_EQ(shared["status"], "ok") << shared;
  EXPECT_EQ(shared["target"]["n_routed"], run.tokens.size());
  EXPECT_EQ(shared["target"]["n_left_out"], 0);
  EXPECT_GT(shared["target"]["base_rate_frac"], 0.02);
  EXPECT_LT(shared["target"]["base_rate_frac"], 0.5);
  EXPECT_EQ(shared["scores"]["rule"]["n"], summary_["split"]["n_test"]["tokens"]);
  EXPECT_GT(shared["scores"]["rule"]["f1"], 0.7) << shared["rule"]["text"];
  EXPECT_LT(shared["random_expert_idx"], 4);
  EXPECT_EQ(shared["evidence_rows"], json::array({4}));
  EXPECT_EQ(summary_["shared"]["n_experts"], 1);
  for (const char* key : {"n_experts", "n_labelled", "beats_both_frac", "mean_f1", "layers"}) {
    EXPECT_EQ(summary_[key], summary_without[key]) << key;
  }
  EXPECT_FALSE(summary_without.contains("shared"));
}

TEST_F(LabelDirectory, ASharedExpertWithBrokenScoresIsAnError) {
  TracedRun run = make_run(made_documents(30, 60, 4), 4, 2, {planted_router});
  add_shared_expert(run, [](const TracedRun&, std::size_t t) { return t == 3 ? -1.0f : 1.0f; });
  write_run_directory(folder_, run);
  try {
    label();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("layers.0.shared_scores: score -1 at element 3"));
  }
}

TEST_F(LabelDirectory, TheSameSeedGivesTheSameFileOnAnyNumberOfThreads) {
  write_run_directory(folder_, make_run(made_documents(30, 80, 2), 4, 2, {planted_router, planted_router}));
  LabelOptions options;
  options.n_threads = 1;
  const std::vector<json> one = label(options);
  options.n_threads = 3;
  EXPECT_EQ(label(options), one);
}

TEST_F(LabelDirectory, TooFewTokensAndExpertsThatAreNeverUsedSaySo) {
  const auto lonely = [](const TracedRun&, std::size_t t) { return std::vector<Routed>{{t % 400 == 7 ? 1 : 0, 1.0f}}; };
  write_run_directory(folder_, make_run(made_documents(30, 60, 3), 3, 1, {lonely}));
  const std::vector<json> labels = label();
  EXPECT_EQ(labels[1]["status"], "too_few");
  EXPECT_EQ(labels[2]["status"], "never");
  for (std::size_t e : {1u, 2u}) {
    EXPECT_TRUE(labels[e]["rule"].is_null());
    EXPECT_TRUE(labels[e]["scores"]["rule"]["f1"].is_null());
    EXPECT_TRUE(labels[e]["beats_both"].is_null());
  }
  EXPECT_EQ(summary_["n_too_few"], 1);
  EXPECT_EQ(summary_["n_never"], 1);
}

TEST_F(LabelDirectory, OneExpertAloneHasNoRandomOther) {
  const auto dense = [](const TracedRun&, std::size_t t) {
    return std::vector<Routed>{{0, 0.1f + static_cast<float>(hash64(1, t) % 100)}};
  };
  write_run_directory(folder_, make_run(made_documents(30, 60, 4), 1, 1, {dense}));
  const std::vector<json> labels = label();
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_TRUE(labels[0]["random_expert_idx"].is_null());
  EXPECT_TRUE(labels[0]["scores"]["random_expert"]["f1"].is_null());
}

TEST_F(LabelDirectory, OneDocumentWithoutDomainIsSplitByContext) {
  std::vector<MadeDocument> documents = made_documents(1, 4000, 5);
  documents[0].domain = "";
  write_run_directory(folder_, make_run(documents, 4, 2, {planted_router}, 50));
  const std::vector<json> labels = label();
  EXPECT_EQ(summary_["split"]["unit"], "context");
  EXPECT_TRUE(labels[0]["beats_both"].get<bool>());
}

TEST_F(LabelDirectory, OneShortTextIsTooFewForEveryone) {
  write_run_directory(folder_, make_run({{"A short text of 5 words_1.", ""}}, 4, 2, {planted_router}));
  for (const json& l : label()) EXPECT_NE(l["status"], "ok");
  EXPECT_TRUE(summary_["beats_both_frac"]["value"].is_null());
  EXPECT_TRUE(summary_["mean_f1"]["rule"]["value"].is_null());
}

TEST_F(LabelDirectory, PartialCharactersOfBytePiecesAreNoError) {
  std::vector<MadeDocument> documents = made_documents(30, 40, 6);
  for (MadeDocument& document : documents) document.text += " caf\xC3\xA9 \xE2\x82\xAC!";  // cut into single bytes
  write_run_directory(folder_, make_run(documents, 4, 2, {planted_router}));
  EXPECT_EQ(label().size(), 4u);
}

TEST_F(LabelDirectory, AnyRoutingLeavesNothingOut) {
  write_run_directory(folder_, make_run(made_documents(30, 60, 7), 4, 2, {planted_router}));
  LabelOptions options;
  options.any_routing = true;
  for (const json& l : label(options)) {
    EXPECT_EQ(l["target"]["n_left_out"], 0);
    EXPECT_TRUE(l["target"]["left_out_hit_frac"].is_null());
  }
  EXPECT_EQ(summary_["settings"]["target"], "any_routing");
}

TEST_F(LabelDirectory, InterruptedLabellingWritesNothing) {
  write_run_directory(folder_, make_run(made_documents(20, 40, 8), 4, 2, {planted_router}));
  set_interrupted(2);
  EXPECT_THROW(label(), Error);
  set_interrupted(0);
  EXPECT_FALSE(fs::exists(folder_ / "labels.jsonl"));
}

TEST_F(LabelDirectory, BrokenDirectoriesAreRefusedWithFileAndReason) {
  EXPECT_THROW(read_traced_run(folder_), Error);
  const TracedRun run = make_run(made_documents(3, 20, 9), 4, 2, {planted_router});
  const auto rewrite = [&] { write_run_directory(folder_, run); };
  rewrite();
  EXPECT_NO_THROW(read_traced_run(folder_));
  for (const char* name : {"vocabulary.json", "documents.jsonl", "trace.safetensors", "evidence.safetensors"}) {
    fs::remove(folder_ / name);
    expect_error(name);
    rewrite();
  }
  std::ofstream(folder_ / "vocabulary.json") << R"({"pieces": ["a"]})";
  expect_error("token_ids");
  rewrite();
  std::ofstream(folder_ / "vocabulary.json") << "{";
  expect_error("not JSON");
  rewrite();
  std::ofstream(folder_ / "documents.jsonl", std::ios::app) << "nonsense\n";
  expect_error("documents.jsonl:4");
  rewrite();
  std::ofstream(folder_ / "documents.jsonl") << R"({"doc_idx": 0, "text": "x"})"
                                             << "\n";
  expect_error("byte_end");
  rewrite();
  std::ofstream(folder_ / "run.json") << R"({"schema": 1, "model": {"n_layers": 1, "n_experts": 4}})";
  expect_error("n_experts_per_token");
  rewrite();
  std::ofstream(folder_ / "run.json") << R"({"schema": 99})";
  expect_error("run.json");
}

TEST_F(LabelDirectory, RoutingThatPointsOutsideIsRefused) {
  const auto outside = [](const TracedRun&, std::size_t) { return std::vector<Routed>{{4, 1.0f}}; };
  write_run_directory(folder_, make_run(made_documents(3, 20, 9), 4, 1, {outside}));
  const TracedRun run = read_traced_run(folder_);
  EXPECT_THROW(run.routing(0), Error);
  EXPECT_THROW(run.routing(1), Error) << "no such layer";
}

TEST_F(LabelDirectory, ScoresThatAreNoNumbersAreRefused) {
  const auto broken = [](const TracedRun&, std::size_t) { return std::vector<Routed>{{0, std::nanf("")}}; };
  write_run_directory(folder_, make_run(made_documents(3, 20, 9), 4, 1, {broken}));
  EXPECT_THROW(read_traced_run(folder_).routing(0), Error);
}

}  // namespace
}  // namespace moescope::label
