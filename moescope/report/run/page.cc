#include "moescope/report/run/page.h"

#include <array>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/report/run/escape.h"

namespace moescope::report {

namespace {

// In the order in which they build on one another.
constexpr std::array kScripts = {"base.js",    "data.js",   "charts.js", "grid.js",   "heatmap.js", "overview.js",
                                 "windows.js", "expert.js", "token.js",  "search.js", "main.js"};

std::string asset(const char* name) {
  std::string text = embedded_file(name);
  MOESCOPE_ASSERT(!text.empty());
  return text;
}

std::string all_scripts() {
  std::string out = "(() => {\n\"use strict\";\n";
  for (const char* name : kScripts) out += asset(name) + "\n";
  return out + "})();\n";
}

std::string block_element(const PageBlock& block) {
  const char* type = block.is_json ? "application/json" : "text/plain";
  return "<script type=\"" + std::string(type) + "\" id=\"data-" + block.name + "\">" + block.text + "</script>\n";
}

struct Filling {
  std::string_view name;
  std::string text;
};

// Replaces every {{name}} of the template; what is filled in is not looked at again.
std::string fill(const std::string& page, const std::vector<Filling>& fillings) {
  std::string out;
  std::size_t at = 0;
  while (true) {
    const std::size_t begin = page.find("{{", at);
    if (begin == std::string::npos) return out + page.substr(at);
    const std::size_t end = page.find("}}", begin);
    MOESCOPE_ASSERT(end != std::string::npos);
    out += page.substr(at, begin - at);
    const std::string name = page.substr(begin + 2, end - begin - 2);
    bool found = false;
    for (const Filling& filling : fillings) {
      if (filling.name != name) continue;
      out += filling.text;
      found = true;
    }
    MOESCOPE_ASSERT(found);
    at = end + 2;
  }
}

}  // namespace

std::string make_page(const std::string& title, const PageData& data) {
  // What the first view needs comes before the script, the rest behind it: the browser shows the overview while it
  // still reads the evidence.
  std::string first, rest, hashed;
  for (const PageBlock& block : data.blocks) {
    const bool is_evidence = block.name.starts_with("evidence-") || block.name == "documents";
    (is_evidence ? rest : first) += block_element(block);
    hashed += content_hash(block.text);
  }
  return fill(asset("report.html"), {{"title", html_escape(title)},
                                     {"nonce", content_hash(hashed + title)},
                                     {"style", asset("report.css")},
                                     {"data", first},
                                     {"script", all_scripts()},
                                     {"evidence", rest}});
}

}  // namespace moescope::report
