// What both writers of a table ask of it.
#pragma once

#include "moescope/io/table.h"

namespace moescope::io {

// Throws kInput: columns of unequal length, a name that is empty or repeats, NaN or infinity, text that is not UTF-8.
void check_table(const Table& table);

// Empty columns of the names and types of `like`.
Table empty_like(const Table& like);

}  // namespace moescope::io
