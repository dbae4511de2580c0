// CSV after RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180): commas, quotes doubled inside quotes, one header line.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/atomic_file.h"
#include "moescope/io/byte_source.h"
#include "moescope/io/quote.h"
#include "moescope/io/table.h"
#include "moescope/io/table_checks.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

constexpr std::int64_t kMaxCsvBytes = std::int64_t{8} << 30;

void append_field(std::string& line, const std::string& text) {
  // An empty text is quoted, for an empty field is a missing value.
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) {
    line += text;
    return;
  }
  line += '"';
  for (const char c : text) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

template <typename T>
requires std::is_arithmetic_v<T>
void append_field(std::string& line, T value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  line.append(digits.data(), end);
}

template <typename T>
void append_field(std::string& line, const std::vector<T>& list) {
  if (list.empty()) line += "\"\"";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) line += ' ';
    append_field(line, list[i]);
  }
}

struct Field {
  std::string text;
  bool quoted = false;
};

// The records of a CSV text, one at a time. Views the text. Errors have no place yet; place() tells it.
class CsvParser {
 public:
  CsvParser(std::string_view text, std::string path) : rest_(text), path_(std::move(path)) {}

  bool next(std::vector<Field>& record) {
    record.clear();
    if (rest_.empty()) return false;
    record_line_ = line_;
    while (true) {
      record.push_back(rest_.starts_with('"') ? take_quoted() : take_plain());
      if (rest_.starts_with(',')) {
        rest_.remove_prefix(1);
        continue;
      }
      if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
      if (!rest_.empty()) rest_.remove_prefix(1);
      ++line_;
      return true;
    }
  }

  std::string place() const { return fmt::format("{}, line {}", path_, record_line_); }

 private:
  Field take_plain() {
    const std::size_t end = std::min(rest_.find_first_of(",\"\n"), rest_.size());
    if (end < rest_.size() && rest_[end] == '"') throw input_error("a quote inside an unquoted field");
    std::string_view text = rest_.substr(0, end);
    const bool ends_line = end < rest_.size() && rest_[end] == '\n';
    if (ends_line && text.ends_with('\r')) text.remove_suffix(1);
    if (text.find('\r') != std::string_view::npos) throw input_error("a lone carriage return");
    rest_.remove_prefix(end);
    return {std::string(text), false};
  }

  Field take_quoted() {
    Field field{"", true};
    rest_.remove_prefix(1);
    while (true) {
      const std::size_t end = rest_.find('"');
      if (end == std::string_view::npos) throw input_error("a quoted field does not end");
      const std::string_view part = rest_.substr(0, end);
      line_ += std::count(part.begin(), part.end(), '\n');
      field.text += part;
      rest_.remove_prefix(end + 1);
      if (!rest_.starts_with('"')) break;
      field.text += '"';
      rest_.remove_prefix(1);
    }
    const bool ends = rest_.empty() || rest_[0] == ',' || rest_[0] == '\n' || rest_.starts_with("\r\n");
    if (!ends) throw input_error("text behind a quoted field");
    return field;
  }

  std::string_view rest_;
  std::string path_;
  std::int64_t line_ = 1, record_line_ = 1;
};

template <typename T>
T parse_number(std::string_view text) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool fine = failed == std::errc() && end == text.data() + text.size();
  if constexpr (std::is_floating_point_v<T>) fine = fine && value - value == 0;  // "nan" and "inf" are no numbers here
  if (!fine) {
    throw input_error("{} is not {}", quote_name(text), std::is_floating_point_v<T> ? "a number" : "a whole number");
  }
  return value;
}

void parse_field(std::string&& text, std::string& value) { value = std::move(text); }
void parse_field(std::string&& text, std::int64_t& value) { value = parse_number<std::int64_t>(text); }
void parse_field(std::string&& text, double& value) { value = parse_number<double>(text); }
template <typename T>
void parse_field(std::string&& text, std::vector<T>& list) {
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t space = rest.find(' ');
    list.push_back(parse_number<T>(rest.substr(0, space)));
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
    if (rest.empty()) throw input_error("a list ends with a space");
  }
}

// For each field of the header, the column of the table that it fills, or nothing for a column nobody asked for. The
// table's columns that may be absent, and are, go.
std::vector<std::optional<std::size_t>> match_header(const std::vector<Field>& header, Table& table) {
  std::set<std::string> names;
  for (const Field& field : header) {
    if (!names.insert(field.text).second) throw input_error("two columns are named {}", quote_name(field.text));
  }
  std::erase_if(table.columns,
                [&](const Column& column) { return column.may_be_absent && !names.contains(column.name); });
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::string& name = table.columns[i].name;
    if (!names.contains(name)) throw input_error("no column {}", quote_name(name));
    place.emplace(name, i);
  }
  std::vector<std::optional<std::size_t>> fills;
  for (const Field& field : header) {
    const auto found = place.find(field.text);
    fills.push_back(found == place.end() ? std::nullopt : std::optional(found->second));
  }
  return fills;
}

void append_row(std::vector<Field>&& record, const std::vector<std::optional<std::size_t>>& fills, Table& table) {
  if (record.size() != fills.size()) {
    throw input_error("{} fields where the header has {}", record.size(), fills.size());
  }
  for (std::size_t i = 0; i < fills.size(); ++i) {
    if (!fills[i]) continue;
    Column& column = table.columns[*fills[i]];
    std::visit(
        [&](auto& values) {
          auto& value = values.emplace_back();
          if (record[i].text.empty() && !record[i].quoted) return;
          try {
            parse_field(std::move(record[i].text), value.emplace());
          } catch (const Error& error) {
            throw error.at("column " + quote_name(column.name));
          }
        },
        column.values);
  }
}

}  // namespace

void write_csv(const std::filesystem::path& path, const Table& table) {
  constexpr std::size_t kFlushBytes = 1 << 20;
  try {
    check_table(table);
  } catch (const Error& error) {
    throw error.at(path.string());
  }
  AtomicFile file(path);
  std::string text;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (i > 0) text += ',';
    append_field(text, table.columns[i].name);
  }
  text += '\n';
  for (std::size_t row = 0; row < table.n_rows(); ++row) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      if (i > 0) text += ',';
      std::visit(
          [&](const auto& values) {
            if (values[row]) append_field(text, *values[row]);
          },
          table.columns[i].values);
    }
    text += '\n';
    if (text.size() >= kFlushBytes) {
      file.write(text);
      text.clear();
    }
  }
  file.write(text);
  file.commit();
}

Table read_csv(const std::filesystem::path& path, const Table& like) {
  const std::string text = read_all(path, kMaxCsvBytes);
  if (!is_utf8(text)) throw input_error("is not UTF-8 text").at(path.string());
  CsvParser parser(text, path.string());
  Table table = empty_like(like);
  try {
    std::vector<Field> record;
    if (!parser.next(record)) throw input_error("is empty, expected a header");
    const std::vector<std::optional<std::size_t>> fills = match_header(record, table);
    while (parser.next(record)) append_row(std::move(record), fills, table);
  } catch (const Error& error) {
    throw error.at(parser.place());
  }
  return table;
}

}  // namespace moescope::io
