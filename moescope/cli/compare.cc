// moescope compare: probe results of several models as tables and figures.
#include "moescope/report/compare/compare.h"

#include <charconv>
#include <cstdio>
#include <memory>

#include "moescope/base/error.h"
#include "moescope/cli/command.h"
#include "moescope/text/concepts.h"

namespace moescope::cli {
namespace {

struct CompareFlags {
  report::CompareOptions options;
  std::vector<std::string> active_fracs;
  std::string concepts;
  bool no_figures = false;
  bool json = false;
};

// "NAME=SHARE"
std::pair<std::string, double> parse_share(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  double share = 0;
  if (equals != std::string::npos && equals > 0) {
    const auto [end, failed] = std::from_chars(text.data() + equals + 1, text.data() + text.size(), share);
    if (failed == std::errc() && end == text.data() + text.size()) return {text.substr(0, equals), share};
  }
  throw usage_error("--active-frac '{}' is not of the form NAME=SHARE", text);
}

void run(CompareFlags& flags, const Session& session) {
  report::CompareOptions& options = flags.options;
  options.figures = !flags.no_figures;
  for (const std::string& share : flags.active_fracs) options.active_fracs.insert(parse_share(share));
  const text::ConceptLibrary concepts =
      flags.concepts.empty() ? text::ConceptLibrary::built_in() : text::ConceptLibrary::load(flags.concepts);
  for (std::size_t i = 0; i < concepts.size(); ++i) options.categories[concepts.at(i).name] = concepts.at(i).category;
  const report::CompareResult result = report::compare(options, session.console);
  if (flags.json) {
    std::fputs((result.summary.dump(2) + "\n").c_str(), stdout);
    return;
  }
  std::fputs(report::describe(result).c_str(), stdout);
  for (const std::filesystem::path& file : result.files) std::printf("%s\n", file.string().c_str());
}

}  // namespace

void add_compare(CLI::App& command, const Session& session) {
  auto flags = std::make_shared<CompareFlags>();
  report::CompareOptions& options = flags->options;
  command
      .add_option("inputs", options.inputs,
                  "run directories of `probe` and published CSV files (.gz, .zst); NAME=PATH gives a name; differences "
                  "are against the first")
      ->required();
  command.add_option("--out", options.out, "folder for tables and figures")->required();
  command.add_option("--k", options.scatter_k, "k of the scatter of concepts and of the experts per concept")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command.add_option("--active-frac", flags->active_fracs,
                     "NAME=SHARE: active / all parameters of a model whose file does not tell");
  command.add_option("--concepts", flags->concepts, "concept file that names the categories (default: built in)");
  command.add_option("--resamples", options.bootstrap.n_resamples, "resamples of the concepts for intervals")
      ->capture_default_str()
      ->check(CLI::Range(100, 100000));
  command.add_option("--seed", options.bootstrap.seed, "seed of the resamples")->capture_default_str();
  command.add_flag("--no-figures", flags->no_figures, "tables only; needs no gnuplot");
  command.add_flag("--json", flags->json, "print compare.json");
  command.footer("Example: moescope compare dense=runs/dense moe=runs/moe --out runs/compared");
  command.callback([flags, session] { run(*flags, session); });
}

}  // namespace moescope::cli
