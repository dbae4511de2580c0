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

struct Column {
  std::string name;
  std::variant<IntColumn, RealColumn, TextColumn> values;
};

// Columns of equal length (checked when written).
struct Table {
  std::vector<Column> columns;
  std::size_t n_rows() const;
  const Column& at(const std::string& name) const;  // throws kInput if absent
};

// RFC 4180; reals with the shortest text that reads back to the same double; NaN is refused (leave it empty).
void write_csv(const std::filesystem::path& path, const Table& table);
// Reads a CSV with a header; column types are told by `like` (same names; extra columns in the file are an error).
Table read_csv(const std::filesystem::path& path, const Table& like);
// Throws kEnvironment if built without Arrow.
void write_parquet(const std::filesystem::path& path, const Table& table);
bool parquet_available();

}  // namespace moescope::io
