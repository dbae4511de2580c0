#include "moescope/stats/gram.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "moescope/stats/gram.cc"
#include <hwy/foreach_target.h>  // includes this file once a target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace moescope::stats::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kColumns = 8;  // numbers of a row that are added up side by side: a vector or some
constexpr std::size_t kGroup = 32;   // rows that are added to the Gram matrix together: they stay in the nearest cache
constexpr std::size_t kTile = 4;     // columns that share what is loaded of a row

using Tag = hn::CappedTag<double, kColumns>;
using Vector = hn::Vec<Tag>;
constexpr std::size_t kLanes = hn::MaxLanes(Tag());

void add_gram(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights, std::size_t size,
              double* HWY_RESTRICT gram) {
  constexpr std::size_t kVectors = kColumns / kLanes;
  const Tag tag;
  double factor[kTile][kGroup];
  for (std::size_t first = 0; first < n_rows; first += kGroup) {
    const double* group = rows + first * stride;
    const std::size_t n = n_rows - first < kGroup ? n_rows - first : kGroup;
    for (std::size_t a = 0; a < size; a += kTile) {
      for (std::size_t r = 0; r < n; ++r) {
        for (std::size_t t = 0; t < kTile; ++t) factor[t][r] = weights[first + r] * group[r * stride + a + t];
      }
      for (std::size_t b = 0; b < a + kTile; b += kColumns) {
        double* tile = gram + a * stride + b;
        Vector sums[kTile][kVectors];
        for (std::size_t t = 0; t < kTile; ++t) {
          for (std::size_t v = 0; v < kVectors; ++v) sums[t][v] = hn::LoadU(tag, tile + t * stride + v * kLanes);
        }
        for (std::size_t r = 0; r < n; ++r) {
          for (std::size_t v = 0; v < kVectors; ++v) {
            const Vector row = hn::LoadU(tag, group + r * stride + b + v * kLanes);
            for (std::size_t t = 0; t < kTile; ++t) {
              sums[t][v] = hn::MulAdd(hn::Set(tag, factor[t][r]), row, sums[t][v]);
            }
          }
        }
        for (std::size_t t = 0; t < kTile; ++t) {
          for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(sums[t][v], tag, tile + t * stride + v * kLanes);
        }
      }
    }
  }
}

void add_floats(const float* row, std::size_t size, double* HWY_RESTRICT sum) {
  const Tag tag;
  const hn::Rebind<float, Tag> floats;
  std::size_t j = 0;
  for (; j + kLanes <= size; j += kLanes) {
    const Vector values = hn::PromoteTo(tag, hn::LoadU(floats, row + j));
    hn::StoreU(hn::Add(hn::LoadU(tag, sum + j), values), tag, sum + j);
  }
  for (; j < size; ++j) sum[j] += static_cast<double>(row[j]);
}

}  // namespace
}  // namespace moescope::stats::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace moescope::stats {

HWY_EXPORT(add_gram);
HWY_EXPORT(add_floats);

void add_weighted_gram(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights,
                       std::size_t size, double* gram) {
  HWY_DYNAMIC_DISPATCH(add_gram)(rows, n_rows, stride, weights, size, gram);
}

void add_row(const float* row, std::size_t size, double* sum) { HWY_DYNAMIC_DISPATCH(add_floats)(row, size, sum); }

}  // namespace moescope::stats
#endif  // HWY_ONCE
