#include "moescope/base/byte_size.h"

#include <cmath>
#include <cstdlib>
#include <map>

#include "moescope/base/error.h"

namespace moescope {

std::uint64_t parse_bytes(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  std::string unit(end);
  unit.erase(0, unit.find_first_not_of(' ') == std::string::npos ? unit.size() : unit.find_first_not_of(' '));
  if (!unit.empty() && (unit.back() == 'B' || unit.back() == 'b')) unit.pop_back();
  static const std::map<std::string, double> kFactors = {
      {"", 1},     {"k", 1e3},     {"K", 1e3},        {"M", 1e6},           {"G", 1e9},
      {"T", 1e12}, {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}};
  const auto factor = kFactors.find(unit);
  const double bytes = factor == kFactors.end() ? -1 : number * factor->second;
  if (end == text.c_str() || !std::isfinite(bytes) || (bytes != 0 && bytes < 1) || bytes > 1e18) {
    throw usage_error("'{}' is not a number of bytes", text).hint("for example 8G, 512M or 1.5Gi");
  }
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace moescope
