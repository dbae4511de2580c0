// A report of a real model's size: 16 layers of 64 experts with 40 + 40 windows of 32 tokens.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "moescope/report/run/report.h"
#include "tests/report/run/page_reader.h"
#include "tests/report/run/synthetic_run.h"
#include "tests/report/test_folder.h"

namespace moescope::report {
namespace {

using testing::SyntheticRun;
using testing::SyntheticRunOptions;
using testing::TestFolder;

constexpr std::uint64_t kBound = 25'000'000;

SyntheticRunOptions full_size() {
  SyntheticRunOptions options;
  options.n_layers = 16;
  options.n_experts = 64;
  options.n_experts_per_token = 8;
  options.n_documents = 150;
  options.n_document_tokens = 480;
  options.n_windows_per_kind = 40;
  options.n_window_tokens = 32;
  options.n_vocab = 50304;
  options.model_name = "synthetic-moe-7b";
  return options;
}

TEST(FullSizeReport, StaysBelowItsBoundAndHoldsEveryExpert) {
  const TestFolder folder;
  SyntheticRun run(full_size());
  run.write(folder.path());
  ReportOptions options;
  options.run_dir = folder.path();
  const ReportResult result = write_report(options, Console());
  EXPECT_LT(result.n_bytes, kBound);
  EXPECT_EQ(result.n_bytes, std::filesystem::file_size(folder / "report.html"));
  EXPECT_EQ(result.n_windows_shown, result.n_windows) << "nothing had to be left out";
  EXPECT_GT(result.n_windows, 80 * 1000);

  const auto blocks = testing::data_blocks(testing::text_of(folder / "report.html"));
  const auto core = nlohmann::json::parse(blocks.at("core"));
  EXPECT_EQ(core.at("experts").at("n_tokens").size(), 1024u);
  EXPECT_EQ(nlohmann::json::parse(blocks.at("labels")).size(), 1024u);
  for (int layer = 0; layer < 16; ++layer) {
    const auto lines = testing::lines_of(blocks.at("evidence-" + std::to_string(layer)));
    ASSERT_EQ(lines.size(), 64u);
    for (int expert = 0; expert < 64; ++expert) {
      const auto windows = testing::evidence_of(lines[static_cast<std::size_t>(expert)]);
      EXPECT_EQ(core.at("experts").at("n_tokens")[static_cast<std::size_t>(layer * 64 + expert)],
                run.n_tokens(layer, expert));
      if (layer == 0) continue;  // one expert without tokens and a rare one
      EXPECT_EQ(windows.size(), 80u) << layer << " " << expert;
    }
  }
}

TEST(FullSizeReport, ShowsFewerWindowsRatherThanOutgrowItsLimit) {
  const TestFolder folder;
  SyntheticRunOptions options = full_size();
  options.n_layers = 2;
  SyntheticRun(options).write(folder.path());
  ReportOptions report_options;
  report_options.run_dir = folder.path();
  const ReportResult whole = write_report(report_options, Console());
  EXPECT_EQ(whole.n_windows_shown, whole.n_windows);
  report_options.max_megabytes = 0.6e-6 * static_cast<double>(whole.n_bytes);
  const ReportResult result = write_report(report_options, Console());
  EXPECT_LE(static_cast<double>(result.n_bytes), 1e6 * report_options.max_megabytes);
  EXPECT_LT(result.n_windows_shown, result.n_windows);
  EXPECT_GT(result.n_windows_shown, result.n_windows / 10);
  const auto core = nlohmann::json::parse(testing::data_blocks(testing::text_of(folder / "report.html")).at("core"));
  EXPECT_EQ(core.at("windows").at("n"), result.n_windows);
  EXPECT_EQ(core.at("windows").at("n_shown"), result.n_windows_shown);
}

// Not a check: MOESCOPE_SYNTHETIC_RUN=DIR tests_report --gtest_filter=FullSizeReport.WritesARunToLookAt
TEST(FullSizeReport, WritesARunToLookAt) {
  const char* folder = std::getenv("MOESCOPE_SYNTHETIC_RUN");
  if (folder == nullptr) GTEST_SKIP() << "for people: set MOESCOPE_SYNTHETIC_RUN to a folder";
  SyntheticRun(full_size()).write(folder);
  ReportOptions options;
  options.run_dir = folder;
  const ReportResult result = write_report(options, Console());
  EXPECT_TRUE(result.done);
  RecordProperty("seconds", std::to_string(result.seconds));
}

}  // namespace
}  // namespace moescope::report
