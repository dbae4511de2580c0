// The loops of sparse probes that need more than the compiler's baseline: compiled by Highway for several vector
// widths, of which the machine's best runs. The rest of their linear algebra is Eigen's (logistic.cc).
//
// Measured beside Eigen 3.4, which is compiled for the baseline only (SSE2; in brackets for AVX2), on a Xeon with
// AVX-512, one thread, medians of 31: the Gram matrix of 2000 rows takes 25 against 67 (59) us with 17 columns, 196
// against 686 (354) us with 65, 3.2 against 9.9 (4.5) ms with 257. Sums of rows take 25 to 30% less time.
// Rows are stored one after the other, `stride` numbers apart; the first `size` numbers of a row are used.
#pragma once

#include <cstddef>

namespace moescope::stats {

// gram[a * stride + b] += sum_i weights[i] * row_i[a] * row_i[b] for b <= a < size; the rest of gram is spoilt.
// `stride`, of rows and of gram, is a multiple of 8 and at least size; gram is [size rounded up to 4, stride].
void add_weighted_gram(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights,
                       std::size_t size, double* gram);

// sum[j] += row[j]
void add_row(const float* row, std::size_t size, double* sum);

}  // namespace moescope::stats
