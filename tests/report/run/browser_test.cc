// The page in a real browser: what it shows, and that text of the run stays text. Skipped where no Chromium is found.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "moescope/report/run/report.h"
#include "tests/report/run/synthetic_run.h"
#include "tests/report/test_folder.h"

namespace moescope::report {
namespace {

using testing::SyntheticRun;
using testing::SyntheticRunOptions;
using testing::TestFolder;

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string out;
  std::array<char, 65536> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) out.append(buffer.data(), n);
  return ::pclose(pipe) == 0 ? out : std::string();
}

std::string browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    if (!output_of("command -v " + std::string(name)).empty()) return name;
  }
  return {};
}

// Matchers of whole pages would print them.
void expect_text(const std::string& page, std::initializer_list<const char*> there,
                 std::initializer_list<const char*> absent = {}) {
  for (const char* text : there) EXPECT_TRUE(page.find(text) != std::string::npos) << "not shown: " << text;
  for (const char* text : absent) EXPECT_TRUE(page.find(text) == std::string::npos) << "shown: " << text;
}

class ReportInABrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    if (browser().empty()) GTEST_SKIP() << "no chromium on this machine";
  }

  void write(const SyntheticRunOptions& options) {
    SyntheticRun(options).write(folder_ / "run");
    write_report();
  }

  void write_report() {
    ReportOptions options;
    options.run_dir = folder_ / "run";
    report::write_report(options, Console());
  }

  // The document after its script has run, without the data blocks.
  std::string shown(const std::string& hash) {
    const std::string page =
        output_of(browser() + " --headless=new --no-sandbox --disable-gpu --no-first-run" +
                  " --disable-background-networking --user-data-dir='" + (folder_ / "profile").string() +
                  "' --dump-dom 'file://" + (folder_ / "run" / "report.html").string() + "#" + hash + "' 2>/dev/null");
    EXPECT_TRUE(page.find("data-drawn=\"yes\"") != std::string::npos) << "the script came to its end";
    const std::size_t begin = page.find("<main"), end = page.find("</main>");
    return begin == std::string::npos || end == std::string::npos ? page : page.substr(begin, end - begin);
  }

  TestFolder folder_;
};

TEST_F(ReportInABrowser, ShowsOverviewExpertAndToken) {
  write({});
  expect_text(shown(""), {"Experts that beat both controls", "href=\"#L1E7\"", "Router entropy"}, {"NaN", "undefined"});
  expect_text(shown("L1E3"), {"Layer 1, expert 3", "Strongest windows", "class=\"t on", "How well the label holds"},
              {"NaN", "undefined", "Still being read"});
  expect_text(shown("L0E7"), {"never: no token reached it", "too few positive tokens"}, {"NaN", "undefined"});
  expect_text(shown("T1"), {"occurrences in the run", "L0E"}, {"NaN", "undefined"});
}

TEST_F(ReportInABrowser, ShowsARunWithoutLabelsAndOptionalFiles) {
  SyntheticRunOptions options;
  options.with_labels = false;
  write(options);
  for (const char* name : {"layers.csv", "domains.csv", "input_tokens.safetensors", "coactivation.safetensors",
                           "evidence.safetensors", "documents.jsonl"}) {
    std::filesystem::remove(folder_ / "run" / name);
  }
  write_report();
  expect_text(shown(""), {"This run has no labels yet", "layers.csv: not written by record"}, {"NaN", "undefined"});
  expect_text(shown("L1E3"),
              {"not labelled yet", "evidence.safetensors: not written by record", "domains.csv: not written by record"},
              {"NaN", "undefined", "Still being read"});
}

TEST_F(ReportInABrowser, KeepsHostileTextAsText) {
  const std::string attack = "</script></main><b id=\"injected\">x</b><img src=x onerror=\"document.title='broken'\">";
  SyntheticRunOptions options;
  options.model_name = attack;
  options.label_text = attack + "\xE2\x80\xAE reversed";
  for (std::int32_t id = 1; id < 40; ++id) options.other_pieces[id] = attack;
  // Every other token: right-to-left override, line separator, NUL, a surrogate as bytes.
  for (std::int32_t id = 40; id < 400; ++id) {
    options.other_pieces[id] = std::string("\xE2\x80\xAE\xE2\x80\xA8\0\xED\xA0\x80", 10);
  }
  write(options);
  for (const char* hash : {"", "L1E3", "T1"}) {
    expect_text(shown(hash), {"&lt;b id=\"injected\"&gt;"},
                {"<b id=\"injected\"", "<img", "\xE2\x80\xAE", "\xE2\x80\xA8"});
  }
  expect_text(shown("L1E3"), {"U+202E", "U+2028", "U+0000"});
}

}  // namespace
}  // namespace moescope::report
