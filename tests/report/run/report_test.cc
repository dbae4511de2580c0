#include "moescope/report/run/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "moescope/base/error.h"
#include "moescope/report/run/page.h"
#include "tests/report/run/page_reader.h"
#include "tests/report/run/synthetic_run.h"
#include "tests/report/test_folder.h"

namespace moescope::report {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::replace_in;
using testing::SyntheticRun;
using testing::SyntheticRunOptions;
using testing::TestFolder;

class Report : public ::testing::Test {
 protected:
  void write_run(const SyntheticRunOptions& options = {}) { SyntheticRun(options).write(folder_.path()); }

  ReportResult report() {
    ReportOptions options;
    options.run_dir = folder_.path();
    return write_report(options, Console());
  }

  std::string error() {
    try {
      report();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInput);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "one line";
      return error.what();
    }
    return "no error";
  }

  json core() { return json::parse(testing::data_blocks(testing::text_of(folder_ / "report.html")).at("core")); }

  TestFolder folder_;
};

TEST_F(Report, OfACompleteRunIsOneFileAndThenDone) {
  write_run();
  const ReportResult result = report();
  EXPECT_TRUE(result.done);
  EXPECT_TRUE(fs::exists(folder_ / "DONE"));
  EXPECT_EQ(fs::file_size(folder_ / "DONE"), 0u);
  EXPECT_EQ(result.path, folder_ / "report.html");
  EXPECT_EQ(result.n_experts, 16);
  EXPECT_GT(result.n_labelled, 10);
  EXPECT_THAT(result.missing, ElementsAre());
}

TEST_F(Report, AsksForNothingOverTheNetwork) {
  write_run();
  report();
  const std::string page = testing::text_of(folder_ / "report.html");
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* link : {"src=\"", "<link", "url(", "@import", "fetch(", "XMLHttpRequest", "https://"}) {
    EXPECT_THAT(page, Not(HasSubstr(link)));
  }
}

TEST_F(Report, SaysThatARunIsNotLabelledAndLeavesItOpen) {
  SyntheticRunOptions options;
  options.with_labels = false;
  write_run(options);
  const ReportResult result = report();
  EXPECT_FALSE(result.done);
  EXPECT_FALSE(fs::exists(folder_ / "DONE"));
  EXPECT_THAT(result.missing, ElementsAre("label_summary.json", "labels.jsonl"));
  EXPECT_EQ(core().at("missing").at("labels.jsonl"), "the run is not labelled yet");
  EXPECT_TRUE(core().at("labels").is_null());
}

TEST_F(Report, ElsewhereDoesNotFinishTheRun) {
  write_run();
  ReportOptions options;
  options.run_dir = folder_.path();
  options.out = folder_ / "other.html";
  EXPECT_FALSE(write_report(options, Console()).done);
  EXPECT_FALSE(fs::exists(folder_ / "DONE"));
}

TEST_F(Report, GoesWithoutOptionalFilesAndNamesThem) {
  for (const char* name : {"layers.csv", "domains.csv", "input_tokens.safetensors", "coactivation.safetensors",
                           "evidence.safetensors", "documents.jsonl", "labels.jsonl", "label_summary.json"}) {
    write_run();
    fs::remove(folder_ / name);
    const ReportResult result = report();
    EXPECT_THAT(result.missing, Contains(name));
    EXPECT_FALSE(result.done) << name;
    EXPECT_TRUE(core().at("missing").contains(name));
  }
}

TEST_F(Report, WithoutARequiredFileIsOneClearError) {
  for (const char* name : {"run.json", "vocabulary.json", "experts.csv"}) {
    write_run();
    fs::remove(folder_ / name);
    EXPECT_THAT(error(), HasSubstr(name));
    EXPECT_FALSE(fs::exists(folder_ / "report.html"));
  }
}

TEST_F(Report, OfNoFolderSaysSo) {
  ReportOptions options;
  options.run_dir = folder_ / "nowhere";
  EXPECT_THROW(write_report(options, Console()), Error);
}

TEST_F(Report, NamesTheRowThatContradictsTheModel) {
  write_run();
  replace_in(folder_ / "experts.csv", "\n1,3,", "\n1,8,");
  EXPECT_THAT(error(), AllOf(HasSubstr("experts.csv"), HasSubstr("row 12"), HasSubstr("expert is 8")));
}

TEST_F(Report, RefusesASecondRowForAnExpert) {
  write_run();
  replace_in(folder_ / "experts.csv", "\n1,3,", "\n1,2,");
  EXPECT_THAT(error(), AllOf(HasSubstr("experts.csv"), HasSubstr("second row")));
}

TEST_F(Report, ShowsAnExpertWithoutARowAsNotRecorded) {
  write_run();
  const std::string table = testing::text_of(folder_ / "experts.csv");
  std::ofstream(folder_ / "experts.csv") << table.substr(0, table.rfind("1,7,"));
  report();
  EXPECT_EQ(core().at("experts").at("status")[15], "not_recorded");
  EXPECT_TRUE(core().at("experts").at("n_tokens")[15].is_null());
}

TEST_F(Report, ReadsColumnsThatALaterVersionAdds) {
  write_run();
  std::string table = testing::text_of(folder_ / "layers.csv");
  for (std::size_t at = table.find('\n'); at != std::string::npos; at = table.find('\n', at + 8))
    table.insert(at, ",later");
  std::ofstream(folder_ / "layers.csv") << table;
  report();
  EXPECT_EQ(core().at("layers").at("n_tokens")[0], 12 * 304);
}

TEST_F(Report, NamesTheLineOfABrokenLabel) {
  write_run();
  replace_in(folder_ / "labels.jsonl", "\n{", "\n{{");
  EXPECT_THAT(error(), HasSubstr("labels.jsonl:2"));
  write_run();
  replace_in(folder_ / "labels.jsonl", "\"layer\":0", "\"layer\":9");
  EXPECT_THAT(error(), AllOf(HasSubstr("labels.jsonl:1"), HasSubstr("\"layer\" is 9")));
  write_run();
  replace_in(folder_ / "labels.jsonl", "\"f1\":0.", "\"f1\":[],\"x\":0.");
  EXPECT_THAT(error(), AllOf(HasSubstr("labels.jsonl:1"), HasSubstr("f1"), HasSubstr("not a number")));
}

TEST_F(Report, RefusesTokensThatTheVocabularyDoesNotHold) {
  write_run();
  std::ofstream(folder_ / "vocabulary.json") << R"({"pieces": ["a", "b"]})";
  EXPECT_THAT(error(),
              AllOf(HasSubstr("input_tokens.safetensors"), HasSubstr("token_id"), HasSubstr("expected 0 to 1")));
}

TEST_F(Report, RefusesEvidenceOfAnotherShape) {
  write_run();
  const std::vector<std::int32_t> one = {0};
  std::vector<io::TensorToWrite> tensors;
  for (const char* name : {"layer", "expert", "kind", "decile", "doc_idx", "position", "length", "strength"}) {
    tensors.push_back({name,
                       name == std::string("strength") ? io::DType::kF32 : io::DType::kI32,
                       {1},
                       std::as_bytes(std::span(one))});
  }
  tensors.push_back({"token_ids", io::DType::kI32, {1, 1}, std::as_bytes(std::span(one))});
  tensors.push_back({"scores", io::DType::kF32, {1}, std::as_bytes(std::span(one))});
  io::write_safetensors(folder_ / "evidence.safetensors", tensors);
  EXPECT_THAT(error(), AllOf(HasSubstr("evidence.safetensors"), HasSubstr("scores"), HasSubstr("shape [1]")));
}

TEST_F(Report, RefusesARunJsonThatAsksForAllMemory) {
  write_run();
  replace_in(folder_ / "run.json", "\"n_experts\": 8", "\"n_experts\": 4000000000");
  EXPECT_THAT(error(), AllOf(HasSubstr("run.json"), HasSubstr("n_experts")));
}

TEST_F(Report, TitleCannotBreakThePage) {
  SyntheticRunOptions options;
  options.model_name = "</title><script>alert(1)</script>{{data}}";
  write_run(options);
  report();
  const std::string page = testing::text_of(folder_ / "report.html");
  EXPECT_THAT(page, Not(HasSubstr("alert(1)</script>")));
  EXPECT_THAT(page, HasSubstr("&lt;/title&gt;"));
}

TEST(EmbeddedFiles, AreTheFilesOfTheSourceTree) {
  const fs::path assets = fs::path(MOESCOPE_SOURCE_DIR) / "moescope" / "report" / "run" / "assets";
  int n = 0;
  for (const auto& entry : fs::directory_iterator(assets)) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(embedded_file(name) == testing::text_of(entry.path())) << name << ": build again";
    ++n;
  }
  EXPECT_GE(n, 12);
  EXPECT_EQ(embedded_file("no such file"), "");
}

}  // namespace
}  // namespace moescope::report
