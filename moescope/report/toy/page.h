// What a page about toy models shows: figures and a table of named numbers (page.csv), made from the files that
// `moescope toy` wrote. Which ones follows from the sweep's `experiment`:
//   features_per_dimension  toy/curves.h    against 1/(1-S)
//   sparsity_sweep          toy/curves.h    against experts, active experts
//   phase                   toy/phase.h     maps of the last feature
//   specialization          toy/specialization.h
//   geometry                toy/geometry.h  Gram matrices, norms, arrows
//
// Intervals: 95% from resampling seeds where there are at least 5, else smallest to largest over seeds, said in
// `status`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "moescope/plot/figure.h"
#include "moescope/report/toy/run.h"
#include "moescope/stats/interval.h"

namespace moescope::report {

struct PageNumber {
  std::string quantity, architecture;
  std::optional<double> density;
  double value = 0, low = 0, high = 0;
  std::int64_t n = 0;  // models or seeds behind it
  std::string status;  // "ok", "range" (low and high are the smallest and largest of under 5 values)
};

struct ToyPage {
  std::vector<plot::Figure> figures;
  std::vector<PageNumber> numbers;
};

// The mean of some values with its interval as said above; absent without values.
std::optional<PageNumber> mean_number(const std::string& quantity, const std::string& architecture,
                                      std::optional<double> density, const std::vector<double>& values);

// Numbers of an expected.csv: quantity, architecture, density (empty: any number without one), least, most.
struct Expectation {
  std::string quantity, architecture;
  std::optional<double> density;
  double least = 0, most = 0;
};
std::vector<Expectation> read_expectations(const std::filesystem::path& path);

// One line an expectation, "ok" or "OUTSIDE" or "absent" before it; `n_failed` counts the latter two.
struct CheckResult {
  std::string text;
  std::int64_t n_failed = 0;
};
CheckResult check_expectations(const std::vector<PageNumber>& numbers, const std::vector<Expectation>& expected);

// Draws the figures of a finished run into its folder and writes page.csv there. Nothing for a run without an
// experiment. Throws kInput for damaged files, kEnvironment without gnuplot (page.csv is written all the same).
ToyPage write_toy_page(const std::filesystem::path& folder);

}  // namespace moescope::report
