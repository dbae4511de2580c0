// Calls two rooms of the installed package; needs no LibTorch.
#include <array>
#include <cstdio>

#include "moescope/io/table.h"
#include "moescope/stats/interval.h"

int main() {
  std::array<double, 2> draws = {1.5, 1.5};
  const std::optional<moescope::stats::Estimate> none = moescope::stats::wilson_share(0, 0);
  const moescope::stats::Interval interval = moescope::stats::percentile_interval(draws);
  std::printf("%.3f%s%s\n", interval.low, none ? " a share of nothing" : "",
              moescope::io::parquet_available() ? " parquet" : "");
  return 0;
}
