// Tables whose rows are described structs (describe.h): NAME.csv, and NAME.parquet where Arrow is built in.
//
// A field is a column: whole numbers, numbers and texts, or optional ones where a cell may be empty; bool is 0 or 1;
// vectors are lists. A cell that must not be empty and is, a missing column, and a value that does not fit are errors
// (kInput) that name file, row and column. Columns without a field are left unread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/table.h"
#include "moescope/run/describe.h"

namespace moescope::run {

namespace detail {

// The column that holds a field, and the way of one cell there and back.
template <typename T>
struct Cell {
  using Stored = std::conditional_t<std::is_integral_v<T>, std::int64_t,
                                    std::conditional_t<std::is_floating_point_v<T>, double, std::string>>;
  static constexpr bool kMayBeEmpty = false;
  static std::optional<Stored> to(const T& value) { return static_cast<Stored>(value); }
  static void from(const Stored& stored, T& value) {
    if constexpr (std::is_integral_v<T>) {
      if (stored < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
          stored > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
        throw input_error("is {}, which is out of range", stored);
      }
    }
    value = static_cast<T>(stored);
  }
};

template <typename T>
struct Cell<std::optional<T>> {
  using Stored = typename Cell<T>::Stored;
  static constexpr bool kMayBeEmpty = true;
  static std::optional<Stored> to(const std::optional<T>& value) { return value ? Cell<T>::to(*value) : std::nullopt; }
  static void from(const Stored& stored, std::optional<T>& value) { Cell<T>::from(stored, value.emplace()); }
};

template <typename T>
struct Cell<std::vector<T>> {
  using Item = typename Cell<T>::Stored;
  using Stored = std::vector<Item>;
  static constexpr bool kMayBeEmpty = false;
  static std::optional<Stored> to(const std::vector<T>& list) { return Stored(list.begin(), list.end()); }
  static void from(const Stored& stored, std::vector<T>& list) {
    list.resize(stored.size());
    for (std::size_t i = 0; i < stored.size(); ++i) Cell<T>::from(stored[i], list[i]);
  }
};

template <typename T>
using ColumnOf = std::vector<std::optional<typename Cell<T>::Stored>>;

// Makes the columns of a table to be written.
struct ColumnMaker {
  io::Table& table;
  template <typename T>
  void operator()(const char* name, const T&, const char*, const FieldRules& = {}) {
    table.columns.push_back({name, ColumnOf<T>()});
  }
};

struct RowWriter {
  io::Table& table;
  std::size_t next = 0;
  template <typename T>
  void operator()(const char*, const T& value, const char*, const FieldRules& = {}) {
    std::get<ColumnOf<T>>(table.columns[next++].values).push_back(Cell<T>::to(value));
  }
};

// Makes the columns to ask a file for: a field that may be absent, or had another name, is looked for.
struct ColumnAsker {
  io::Table& like;
  template <typename T>
  void operator()(const char* name, const T&, const char*, const FieldRules& rules = {}) {
    like.columns.push_back({name, ColumnOf<T>(), rules.since > 1 || rules.former != nullptr});
    if (rules.former != nullptr) like.columns.push_back({rules.former, ColumnOf<T>(), true});
  }
};

// Finds the column of every field in what was read; nullptr for one that the file rightly lacks.
struct ColumnFinder {
  const io::Table& table;
  std::vector<const io::Column*>& columns;
  template <typename T>
  void operator()(const char* name, const T&, const char*, const FieldRules& rules = {}) {
    const io::Column* found = table.find(name);
    if (found == nullptr && rules.former != nullptr) found = table.find(rules.former);
    if (found == nullptr && rules.since == 1) throw input_error("no column \"{}\"", name);
    columns.push_back(found);
  }
};

struct RowReader {
  const std::vector<const io::Column*>& columns;
  std::size_t row;
  std::size_t next = 0;
  template <typename T>
  void operator()(const char* name, T& value, const char*, const FieldRules& = {}) {
    const io::Column* column = columns[next++];
    if (column == nullptr) return;
    const auto& cell = std::get<ColumnOf<T>>(column->values)[row];
    if (!cell) {
      if (!Cell<T>::kMayBeEmpty) throw input_error("{} is empty", name);
      value = T();
      return;
    }
    try {
      Cell<T>::from(*cell, value);
    } catch (const Error& error) {
      throw input_error("{} {}", name, error.what());
    }
  }
};

}  // namespace detail

template <Described Row>
io::Table to_table(std::span<const Row> rows) {
  io::Table table;
  detail::ColumnMaker maker{table};
  const Row none{};
  Row::describe(none, maker);
  for (const Row& row : rows) {
    detail::RowWriter writer{table};
    Row::describe(row, writer);
  }
  return table;
}

// FOLDER/NAME.csv and, where built in, FOLDER/NAME.parquet. Throws as io::write_csv does.
void write_table_files(const std::filesystem::path& folder, const std::string& name, const io::Table& table);

template <Described Row>
void write_table(const std::filesystem::path& folder, const std::string& name, const std::vector<Row>& rows) {
  write_table_files(folder, name, to_table(std::span<const Row>(rows)));
}

// Reads a CSV file and calls body(row) for its rows, in its order. Errors, those of body too, get file and row.
template <Described Row, typename Body>
void for_each_row(const std::filesystem::path& path, const Body& body) {
  io::Table like;
  detail::ColumnAsker asker{like};
  const Row none{};
  Row::describe(none, asker);
  const io::Table table = io::read_csv(path, like);
  std::vector<const io::Column*> columns;
  try {
    detail::ColumnFinder finder{table, columns};
    Row::describe(none, finder);
  } catch (const Error& error) {
    throw error.at(path.string());
  }
  for (std::size_t i = 0; i < table.n_rows(); ++i) {
    try {
      Row row{};
      detail::RowReader reader{columns, i};
      Row::describe(row, reader);
      body(std::move(row));
    } catch (const Error& error) {
      throw error.at(fmt::format("{}, row {}", path.string(), i + 1));
    }
  }
}

template <Described Row>
std::vector<Row> read_table(const std::filesystem::path& path) {
  std::vector<Row> rows;
  for_each_row<Row>(path, [&](Row&& row) { rows.push_back(std::move(row)); });
  return rows;
}

}  // namespace moescope::run
