#include "moescope/io/table.h"

#include <cmath>
#include <set>
#include <type_traits>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"
#include "moescope/io/table_checks.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

std::size_t length_of(const Column& column) {
  return std::visit([](const auto& values) { return values.size(); }, column.values);
}

bool is_fine(std::int64_t) { return true; }
bool is_fine(double value) { return std::isfinite(value); }
bool is_fine(const std::string& text) { return is_utf8(text); }
template <typename T>
bool is_fine(const std::vector<T>& list) {
  for (const T value : list) {
    if (!is_fine(value)) return false;
  }
  return true;
}

}  // namespace

std::size_t Table::n_rows() const { return columns.empty() ? 0 : length_of(columns.front()); }

const Column* Table::find(const std::string& name) const {
  for (const Column& column : columns) {
    if (column.name == name) return &column;
  }
  return nullptr;
}

const Column& Table::at(const std::string& name) const {
  const Column* column = find(name);
  if (column == nullptr) throw input_error("no column {}", quote_name(name));
  return *column;
}

void check_table(const Table& table) {
  std::set<std::string> names;
  for (const Column& column : table.columns) {
    if (column.name.empty() || !is_utf8(column.name)) throw input_error("a column has no name of UTF-8 text");
    if (!names.insert(column.name).second) throw input_error("two columns are named {}", quote_name(column.name));
    if (length_of(column) != table.n_rows()) {
      throw input_error("column {} has {} rows, {} has {}", quote_name(column.name), length_of(column),
                        quote_name(table.columns.front().name), table.n_rows());
    }
    std::visit(
        [&](const auto& values) {
          for (std::size_t row = 0; row < values.size(); ++row) {
            if (!values[row] || is_fine(*values[row])) continue;
            throw input_error("column {}, row {}: {}", quote_name(column.name), row + 1,
                              std::is_same_v<decltype(values), const TextColumn&> ? "text that is not UTF-8"
                                                                                  : "NaN or infinity, leave it empty");
          }
        },
        column.values);
  }
}

Table empty_like(const Table& like) {
  Table empty;
  for (const Column& column : like.columns) {
    std::visit(
        [&](const auto& values) {
          empty.columns.push_back({column.name, std::decay_t<decltype(values)>(), column.may_be_absent});
        },
        column.values);
  }
  return empty;
}

}  // namespace moescope::io
