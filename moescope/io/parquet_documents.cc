#include "moescope/base/error.h"
#include "moescope/io/document_source.h"

#ifndef MOESCOPE_WITH_ARROW

namespace moescope::io {

std::unique_ptr<DocumentSource> open_parquet_source(const SourceContext& context) {
  throw environment_error("this moescope was built without Arrow and reads no Parquet").at(context.path.string());
}

}  // namespace moescope::io

#else

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/exception.h>

#include <nlohmann/json.hpp>

#include "moescope/io/quote.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

// Rows decoded together: enough to be fast, few enough that long documents fit.
constexpr std::int64_t kRowsABatch = 256;

void check(const arrow::Status& status, const std::string& place) {
  if (!status.ok()) throw input_error("cannot read the Parquet file: {}", quote_name(status.message())).at(place);
}

template <typename T>
T value_of(arrow::Result<T> result, const std::string& place) {
  check(result.status(), place);
  return std::move(result).ValueUnsafe();
}

// A top-level column and the way inside it: "meta.pile_set_name" is {"meta", {"pile_set_name"}}, or
// {"meta.pile_set_name",
// {}} where a column has that very name. Inside a string column the way is taken through JSON.
struct ColumnPath {
  int column = -1;  // in the schema; -1: absent
  std::string name;
  std::vector<std::string> inside;
};

ColumnPath find_column(const arrow::Schema& schema, const std::string& field) {
  const int whole = schema.GetFieldIndex(field);
  if (whole >= 0) return {whole, field, {}};
  std::size_t dot = field.find('.');
  if (dot == std::string::npos) return {};
  ColumnPath path{schema.GetFieldIndex(field.substr(0, dot)), field.substr(0, dot), {}};
  while (dot != std::string::npos) {
    const std::size_t next = field.find('.', dot + 1);
    path.inside.push_back(field.substr(dot + 1, next == std::string::npos ? next : next - dot - 1));
    dot = next;
  }
  return path;
}

void collect_leaves(const parquet::arrow::SchemaField& field, std::vector<int>& leaves) {
  if (field.is_leaf()) leaves.push_back(field.column_index);
  for (const auto& child : field.children) collect_leaves(child, leaves);
}

bool is_text(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY)
    return is_text(*static_cast<const arrow::DictionaryType&>(type).value_type());
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING;
}

// The text of a row, or nothing for null.
std::optional<std::string> text_at(const arrow::Array& column, std::int64_t row) {
  if (column.IsNull(row)) return std::nullopt;
  if (column.type_id() == arrow::Type::DICTIONARY) {
    const auto& coded = static_cast<const arrow::DictionaryArray&>(column);
    return text_at(*coded.dictionary(), coded.GetValueIndex(row));
  }
  if (column.type_id() == arrow::Type::STRING) return static_cast<const arrow::StringArray&>(column).GetString(row);
  return static_cast<const arrow::LargeStringArray&>(column).GetString(row);
}

// A piece of JSON text by its keys, or nothing where there is none.
std::optional<std::string> json_text(const std::string& text, const std::vector<std::string>& keys,
                                     std::size_t first_key) {
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  for (std::size_t i = first_key; i < keys.size(); ++i) {
    if (!value.is_object() || !value.contains(keys[i])) return std::nullopt;
    nlohmann::json inner = std::move(value[keys[i]]);
    value = std::move(inner);
  }
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

class ParquetSource : public DocumentSource {
 public:
  explicit ParquetSource(const SourceContext& context) : context_(context), place_(context.path.string()) {
    try {
      open();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {  // of Arrow, or no memory for what a hostile file asks
      throw input_error("cannot read the Parquet file: {}", quote_name(error.what())).at(place_);
    }
  }

  std::optional<Document> next() override {
    while (!batch_ || row_ == batch_->num_rows()) {
      if (!read_batch()) return std::nullopt;
    }
    const std::int64_t row = row_++;
    ++n_rows_;
    Document document;
    document.id = fmt::format("{}:{}", context_.id, n_rows_);
    document.text = required_text(row);
    if (domain_.column >= 0) document.domain = optional_text(domain_, row).value_or("");
    check_document_size(document.text.size(), *context_.options, place_ + ", document " + document.id);
    document.text = repair_utf8(std::move(document.text), context_.counts->n_replaced_bytes);
    document.domain = repair_utf8(std::move(document.domain), context_.counts->n_replaced_bytes);
    return document;
  }

 private:
  void open() {
    auto file = value_of(arrow::io::ReadableFile::Open(place_), place_);
    parquet::arrow::FileReaderBuilder builder;
    check(builder.Open(file), place_);
    parquet::ArrowReaderProperties properties;
    properties.set_batch_size(kRowsABatch);
    builder.properties(properties);
    check(builder.Build(&reader_), place_);
    std::shared_ptr<arrow::Schema> schema;
    check(reader_->GetSchema(&schema), place_);
    text_ = find_column(*schema, context_.options->text_field);
    domain_ = find_column(*schema, context_.options->domain_field);
    if (text_.column < 0) {
      std::string names;
      for (const std::string& name : schema->field_names()) names += (names.empty() ? "" : ", ") + quote_name(name);
      throw input_error("no column {} (columns: {})", quote_name(context_.options->text_field), names)
          .at(place_)
          .hint("name it with option 'text-field'");
    }
    std::vector<int> leaves;
    const auto& fields = reader_->manifest().schema_fields;
    collect_leaves(fields[static_cast<std::size_t>(text_.column)], leaves);
    if (domain_.column >= 0 && domain_.column != text_.column) {
      collect_leaves(fields[static_cast<std::size_t>(domain_.column)], leaves);
    }
    std::vector<int> row_groups(static_cast<std::size_t>(reader_->num_row_groups()));
    for (std::size_t i = 0; i < row_groups.size(); ++i) row_groups[i] = static_cast<int>(i);
    batches_ = value_of(reader_->GetRecordBatchReader(row_groups, leaves), place_);
  }

  bool read_batch() {
    row_ = 0;
    try {
      check(batches_->ReadNext(&batch_), fmt::format("{}, after row {}", place_, n_rows_));
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {  // of Arrow, or no memory for what a hostile file asks
      throw input_error("cannot read the Parquet file: {}", quote_name(error.what())).at(place_);
    }
    return batch_ != nullptr;
  }

  // Goes into structs as far as the path leads; `depth` steps are taken. Null where a struct of the row is null or has
  // no such field.
  std::shared_ptr<arrow::Array> walk(const ColumnPath& path, std::int64_t row, std::size_t& depth) const {
    std::shared_ptr<arrow::Array> column = batch_->GetColumnByName(path.name);
    for (depth = 0; column && column->type_id() == arrow::Type::STRUCT && depth < path.inside.size(); ++depth) {
      if (column->IsNull(row)) return nullptr;
      column = static_cast<const arrow::StructArray&>(*column).GetFieldByName(path.inside[depth]);
    }
    return column;
  }

  std::optional<std::string> optional_text(const ColumnPath& path, std::int64_t row) const {
    std::size_t depth = 0;
    const auto column = walk(path, row, depth);
    if (!column || !is_text(*column->type())) return std::nullopt;
    std::optional<std::string> text = text_at(*column, row);
    if (text && depth < path.inside.size()) return json_text(*text, path.inside, depth);
    return text;
  }

  // Null is an empty document, as in JSON; a text column of another type or without the field asked for is an error.
  std::string required_text(std::int64_t row) const {
    std::size_t depth = 0;
    const auto column = walk(text_, row, depth);
    const std::string where = fmt::format("{}, row {}", place_, n_rows_);
    if (!column) throw input_error("no field {}", quote_name(context_.options->text_field)).at(where);
    if (!is_text(*column->type())) {
      throw input_error("column {} is of type {}, expected string", quote_name(context_.options->text_field),
                        column->type()->ToString())
          .at(where);
    }
    std::optional<std::string> text = text_at(*column, row);
    if (!text || depth == text_.inside.size()) return std::move(text).value_or("");
    text = json_text(*text, text_.inside, depth);
    if (!text) throw input_error("no text in field {}", quote_name(context_.options->text_field)).at(where);
    return std::move(*text);
  }

  SourceContext context_;
  std::string place_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  ColumnPath text_, domain_;
  std::int64_t row_ = 0, n_rows_ = 0;
};

}  // namespace

std::unique_ptr<DocumentSource> open_parquet_source(const SourceContext& context) {
  return std::make_unique<ParquetSource>(context);
}

}  // namespace moescope::io

#endif
