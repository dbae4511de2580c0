// A table of typed columns, written as CSV and, where Arrow is built in, as Parquet. Numbers stand only in number
// columns; a missing value is an empty field (CSV) or null (Parquet), with its reason in a `status` column.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moescope::io {

using IntColumn = std::vector<std::optional<std::int64_t>>;
using RealColumn = std::vector<std::optional<double>>;
using TextColumn = std::vector<std::optional<std::string>>;
// Lists, for evidence: list<int64> and list<double> in Parquet, numbers joined by spaces in CSV.
using IntListColumn = std::vector<std::optional<std::vector<std::int64_t>>>;
using RealListColumn = std::vector<std::optional<std::vector<double>>>;

struct Column {
  std::string name;
  std::variant<IntColumn, RealColumn, TextColumn, IntListColumn, RealListColumn> values;
  bool may_be_absent = false;  // of what is asked for when reading: a file without it is fine
};

// Columns of equal length (checked when written).
struct Table {
  std::vector<Column> columns;
  std::size_t n_rows() const;
  const Column& at(const std::string& name) const;    // throws kInput if absent
  const Column* find(const std::string& name) const;  // nullptr if absent
};

// RFC 4180 with \n line ends and a header line; reals with the shortest text that reads back to the same double.
// Written to a temporary name and renamed. Throws kInput for NaN and infinities (leave the field empty), for columns of
// unequal length, and for a name that is empty or repeats. A missing value is an empty field; an empty text or list is
// a quoted empty field "", so that the two are told apart.
void write_csv(const std::filesystem::path& path, const Table& table);
// Reads a CSV with a header. Names and types are told by `like`, whose rows are not looked at; its columns come in any
// order and are given in that of `like`, without those that may be absent and are. Columns that `like` does not name
// are left unread: a later version may have added them. A missing column, a name twice, ragged rows, a bad number and
// bad quoting are errors (kInput) with file and line. Reads \r\n line ends, too.
Table read_csv(const std::filesystem::path& path, const Table& like);

// Compressed with zstd; every column may be null. Throws as write_csv does, and kEnvironment if built without Arrow.
void write_parquet(const std::filesystem::path& path, const Table& table);
// Reads such a file back, by names and types of `like`. Throws kInput as read_csv, kEnvironment if built without Arrow.
Table read_parquet(const std::filesystem::path& path, const Table& like);
bool parquet_available();

}  // namespace moescope::io
