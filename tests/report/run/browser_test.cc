// The page in a real browser: what it shows, and that text of the run stays text. Skipped where no Chromium is found.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "moescope/io/file.h"
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

  // The document after its scripts have run and everything they wait for has come. What the page writes to the console
  // (its errors, what its security policy refuses) is kept in console_.
  std::string page_of(const std::filesystem::path& file, const std::string& hash) {
    const std::string log = (folder_ / "browser.log").string();
    const std::string page = output_of(
        browser() + " --headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking" +
        " --enable-logging=stderr --virtual-time-budget=5000 --user-data-dir='" + (folder_ / "profile").string() +
        "' --dump-dom 'file://" + file.string() + "#" + hash + "' 2>'" + log + "'");
    EXPECT_TRUE(page.find("data-drawn=\"yes\"") != std::string::npos) << "the script came to its end";
    std::ifstream lines(log);
    console_.clear();
    for (std::string line; std::getline(lines, line);) {
      if (line.find(":CONSOLE") != std::string::npos) console_ += line + "\n";
    }
    return page;
  }

  // What the page shows, without the data blocks.
  std::string shown(const std::string& hash) {
    const std::string page = page_of(folder_ / "run" / "report.html", hash);
    EXPECT_EQ(console_, "") << "#" << hash;
    const std::size_t begin = page.find("<main"), end = page.find("</main>");
    return begin == std::string::npos || end == std::string::npos ? page : page.substr(begin, end - begin);
  }

  // Runs `steps` in the page as its reader would act, and gives what they say(). `settle` waits for a view to change.
  std::string after(const std::string& steps) {
    std::string page = io::read_file(folder_ / "run" / "report.html");
    const std::string nonce_begin = "script-src 'nonce-";
    const std::size_t nonce = page.find(nonce_begin) + nonce_begin.size();
    const std::string script = "<pre id=\"said\"></pre><script nonce=\"" +
                               page.substr(nonce, page.find('\'', nonce) - nonce) + "\">" + R"js(
      const said = document.getElementById("said");
      const say = (...words) => said.append(words.join(" ") + "\n");
      const settle = () => new Promise((done) => setTimeout(done, 100));
      const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
      const opened = () => /Layer \d+, expert \d+/.exec(document.getElementById("detail-view").textContent)[0];
      addEventListener("load", async () => {)js" +
                               steps + "});</script>\n";
    page.insert(page.rfind("</body>"), script);
    std::ofstream(folder_ / "driven.html") << page;
    const std::string end = page_of(folder_ / "driven.html", "");
    const std::string begin = "<pre id=\"said\">";
    const std::size_t at = end.rfind(begin);
    return at == std::string::npos ? "" : end.substr(at + begin.size(), end.find("</pre>", at) - at - begin.size());
  }

  TestFolder folder_;
  std::string console_;
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

TEST_F(ReportInABrowser, GridIsRecolouredWalkedAndOpensAnExpert) {
  write({});
  const std::string said = after(R"js(
      const cells = document.querySelectorAll(".grid .cell"), metric = document.getElementById("metric");
      const colours = () => Array.from(cells, (cell) => cell.style.backgroundColor).join();
      const before = colours();
      metric.value = "weight";
      metric.dispatchEvent(new Event("change"));
      say(cells.length, "cells, recoloured:", colours() !== before);
      cells[0].focus();
      press(document.activeElement, "ArrowDown");
      press(document.activeElement, "ArrowRight");
      say(document.activeElement.getAttribute("href"));
      document.activeElement.click();
      await settle();
      say(opened());
      press(document.body, "ArrowRight");
      await settle();
      say(opened());
      press(document.body, "[");
      await settle();
      say(opened());)js");
  EXPECT_EQ(said, "16 cells, recoloured: true\n#L1E1\nLayer 1, expert 1\nLayer 1, expert 2\nLayer 0, expert 2\n");
  EXPECT_EQ(console_, "");
}

TEST_F(ReportInABrowser, SearchFindsNumbersTokensAndLabels) {
  SyntheticRunOptions options;
  options.label_text = "The next token is a quagga";
  options.other_pieces[1] = "zebra";
  write(options);
  const std::string said = after(R"js(
      const box = document.getElementById("search"), results = document.getElementById("results");
      const search = async (text) => {
        box.focus();
        box.value = text;
        box.dispatchEvent(new Event("input"));
        await settle();
      };
      const keys = () => Array.from(results.querySelectorAll(".option-key"), (key) => key.textContent);
      await search("L0E3");
      say(keys()[0]);
      press(box, "Enter");
      await settle();
      say(opened(), location.hash);
      await search("zebra");
      say(keys());
      press(box, "Enter");
      await settle();
      say(location.hash);
      await search("quagga");
      say(keys().length > 0 && keys().every((key) => /^L[01]E[0-7]$/.test(key)));
      await search("no such thing");
      say(keys().length, results.textContent.startsWith("Nothing found"));
      press(box, "Escape");
      say(results.hidden);)js");
  EXPECT_EQ(said, "L0E3\nLayer 0, expert 3 #L0E3\ntoken\n#T1\ntrue\n0 true\ntrue\n");
  EXPECT_EQ(console_, "");
}

TEST_F(ReportInABrowser, TestsSeeWhatAPageWritesToTheConsole) {
  write({});
  EXPECT_EQ(after("say(1); no_such_function();"), "1\n");
  EXPECT_TRUE(console_.find("no_such_function is not defined") != std::string::npos) << console_;
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
