// moescope compare: probe results of several models as tables and figures.
#include "moescope/report/compare/compare.h"

#include <cstdio>

#include "moescope/cli/command.h"
#include "moescope/text/concepts.h"

namespace moescope::cli {
namespace {

class CompareCommand : public Command {
 public:
  void describe(OptionList& list) override {
    options_.describe(list);
    list.add("concepts", concepts_, "concept file that names the categories; without: built in");
    list.add("json", json_, "print compare.json");
  }

  void run(const Session& session) override {
    const text::ConceptLibrary concepts =
        concepts_.empty() ? text::ConceptLibrary::built_in() : text::ConceptLibrary::load(concepts_);
    for (std::size_t i = 0; i < concepts.size(); ++i) {
      options_.categories[concepts.at(i).name] = concepts.at(i).category;
    }
    const report::CompareResult result = report::compare(options_, session.console);
    if (json_) {
      std::fputs((result.summary.dump(2) + "\n").c_str(), stdout);
      return;
    }
    std::fputs(report::describe(result).c_str(), stdout);
    for (const std::filesystem::path& file : result.files) std::printf("%s\n", file.string().c_str());
  }

 private:
  report::CompareOptions options_;
  std::filesystem::path concepts_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kCompare = {"compare", "probe results of several models as tables and figures",
                               "Example: moescope compare dense=runs/dense moe=runs/moe --out runs/compared",
                               make<CompareCommand>};

}  // namespace moescope::cli
