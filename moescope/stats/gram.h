// The dense loops of the logistic solver in float64 and its Cholesky solve. Rows are stored one after the other,
// `stride` numbers apart; the first `size` numbers of a row are used.
// Compiled for several vector widths where the compiler can (chosen when the program starts), so that one binary is
// fast on every machine. Non-goals: large matrices (no cache blocking beyond a row group), other types.
#pragma once

#include <cstddef>

namespace moescope::stats {

// products[i] = sum_j row_i[j] * x[j]
void multiply_rows(const double* rows, std::size_t n_rows, std::size_t stride, const double* x, std::size_t size,
                   double* products);

// sum[j] += sum_i weights[i] * row_i[j]
void add_weighted_rows(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights,
                       std::size_t size, double* sum);

// gram[a * stride + b] += sum_i weights[i] * row_i[a] * row_i[b] for b <= a < size; the rest of gram is spoilt.
// `stride`, of rows and of gram, is a multiple of 8 and at least size; gram is [size rounded up to 4, stride].
void add_weighted_gram(const double* rows, std::size_t n_rows, std::size_t stride, const double* weights,
                       std::size_t size, double* gram);

// sum[j] += row[j]
void add_row(const float* row, std::size_t size, double* sum);

// Solves A x = rhs for a symmetric positive definite A [size, stride] of which the lower triangle is given; rhs becomes
// x and A its Cholesky factor. False, with both spoilt, if A is not positive definite in float64.
bool solve_cholesky(double* a, std::size_t size, std::size_t stride, double* rhs);

}  // namespace moescope::stats
