#include "moescope/base/error.h"
#include "moescope/io/table.h"
#include "moescope/io/table_checks.h"

#ifndef MOESCOPE_WITH_ARROW

namespace moescope::io {

bool parquet_available() { return false; }

void write_parquet(const std::filesystem::path& path, const Table&) {
  throw environment_error("this moescope was built without Arrow and writes no Parquet").at(path.string());
}

Table read_parquet(const std::filesystem::path& path, const Table&) {
  throw environment_error("this moescope was built without Arrow and reads no Parquet").at(path.string());
}

}  // namespace moescope::io

#else

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>

#include <algorithm>
#include <exception>

#include "moescope/io/atomic_file.h"
#include "moescope/io/quote.h"

namespace moescope::io {
namespace {

constexpr std::int64_t kRowsAGroup = 1 << 16;

void check(const arrow::Status& status, const std::string& place) {
  if (!status.ok()) throw input_error("Parquet: {}", quote_name(status.message())).at(place);
}

template <typename T>
T value_of(arrow::Result<T> result, const std::string& place) {
  check(result.status(), place);
  return std::move(result).ValueUnsafe();
}

// Lets Arrow write into an AtomicFile. Exceptions do not travel through Arrow: the first is kept and thrown later.
class AtomicStream : public arrow::io::OutputStream {
 public:
  explicit AtomicStream(const std::filesystem::path& path) : file_(path) {}

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<std::int64_t> Tell() const override { return position_; }

  arrow::Status Write(const void* data, std::int64_t n_bytes) override {
    try {
      file_.write({static_cast<const char*>(data), static_cast<std::size_t>(n_bytes)});
    } catch (...) {
      failure_ = std::current_exception();
      return arrow::Status::IOError("write failed");
    }
    position_ += n_bytes;
    return arrow::Status::OK();
  }
  using arrow::io::Writable::Write;

  void rethrow_failure() const {
    if (failure_) std::rethrow_exception(failure_);
  }
  void commit() { file_.commit(); }

 private:
  AtomicFile file_;
  std::int64_t position_ = 0;
  bool closed_ = false;
  std::exception_ptr failure_;
};

// The Arrow builder, array and type of each kind of column.
template <typename T>
struct ArrowOf;
template <>
struct ArrowOf<std::int64_t> {
  using Builder = arrow::Int64Builder;
  using Array = arrow::Int64Array;
  static std::shared_ptr<arrow::DataType> type() { return arrow::int64(); }
};
template <>
struct ArrowOf<double> {
  using Builder = arrow::DoubleBuilder;
  using Array = arrow::DoubleArray;
  static std::shared_ptr<arrow::DataType> type() { return arrow::float64(); }
};
template <>
struct ArrowOf<std::string> {
  using Builder = arrow::StringBuilder;
  using Array = arrow::StringArray;
  static std::shared_ptr<arrow::DataType> type() { return arrow::utf8(); }
};

template <typename T>
std::shared_ptr<arrow::Array> to_arrow(const std::vector<std::optional<T> >& values, const std::string& place) {
  typename ArrowOf<T>::Builder builder;
  for (const std::optional<T>& value : values) check(value ? builder.Append(*value) : builder.AppendNull(), place);
  return value_of(builder.Finish(), place);
}

template <typename T>
std::shared_ptr<arrow::Array> to_arrow(const std::vector<std::optional<std::vector<T> > >& lists,
                                       const std::string& place) {
  const auto items = std::make_shared<typename ArrowOf<T>::Builder>();
  arrow::ListBuilder builder(arrow::default_memory_pool(), items);
  for (const auto& list : lists) {
    check(list ? builder.Append() : builder.AppendNull(), place);
    if (list) check(items->AppendValues(*list), place);
  }
  return value_of(builder.Finish(), place);
}

template <typename T>
T item_at(const arrow::Array& array, std::int64_t i) {
  if constexpr (std::is_same_v<T, std::string>) {
    return static_cast<const arrow::StringArray&>(array).GetString(i);
  } else {
    return static_cast<const typename ArrowOf<T>::Array&>(array).Value(i);
  }
}

template <typename T>
void append_chunk(const arrow::Array& chunk, std::vector<std::optional<T> >& values) {
  if (!chunk.type()->Equals(ArrowOf<T>::type())) {
    throw input_error("is of type {}, expected {}", chunk.type()->ToString(), ArrowOf<T>::type()->ToString());
  }
  for (std::int64_t i = 0; i < chunk.length(); ++i) {
    values.push_back(chunk.IsNull(i) ? std::nullopt : std::optional<T>(item_at<T>(chunk, i)));
  }
}

template <typename T>
void append_chunk(const arrow::Array& chunk, std::vector<std::optional<std::vector<T> > >& lists) {
  const auto* list_type =
      chunk.type_id() == arrow::Type::LIST ? &static_cast<const arrow::ListType&>(*chunk.type()) : nullptr;
  if (list_type == nullptr || !list_type->value_type()->Equals(ArrowOf<T>::type())) {
    throw input_error("is of type {}, expected list of {}", chunk.type()->ToString(), ArrowOf<T>::type()->ToString());
  }
  const auto& array = static_cast<const arrow::ListArray&>(chunk);
  for (std::int64_t i = 0; i < array.length(); ++i) {
    auto& list = lists.emplace_back();
    if (array.IsNull(i)) continue;
    list.emplace();
    for (std::int64_t k = array.value_offset(i); k < array.value_offset(i + 1); ++k) {
      if (array.values()->IsNull(k)) throw input_error("holds null inside a list");
      list->push_back(item_at<T>(*array.values(), k));
    }
  }
}

std::shared_ptr<arrow::Table> read_arrow_table(const std::string& place) {
  const auto file = value_of(arrow::io::ReadableFile::Open(place), place);
  parquet::arrow::FileReaderBuilder builder;
  check(builder.Open(file), place);
  std::unique_ptr<parquet::arrow::FileReader> reader;
  check(builder.Build(&reader), place);
  return value_of(reader->ReadTable(), place);
}

}  // namespace

bool parquet_available() { return true; }

void write_parquet(const std::filesystem::path& path, const Table& table) {
  const std::string place = path.string();
  try {
    check_table(table);
  } catch (const Error& error) {
    throw error.at(place);
  }
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : table.columns) {
    std::visit([&](const auto& values) { arrays.push_back(to_arrow(values, place + ", column " + column.name)); },
               column.values);
    fields.push_back(arrow::field(column.name, arrays.back()->type()));
  }
  const auto arrow_table = arrow::Table::Make(arrow::schema(fields), arrays, static_cast<std::int64_t>(table.n_rows()));
  const auto properties = parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
  const auto stream = std::make_shared<AtomicStream>(path);
  arrow::Status status;
  try {
    status = parquet::arrow::WriteTable(*arrow_table, arrow::default_memory_pool(), stream, kRowsAGroup, properties);
  } catch (const std::exception& error) {
    status = arrow::Status::IOError(error.what());
  }
  stream->rethrow_failure();
  check(status, place);
  stream->commit();
}

Table read_parquet(const std::filesystem::path& path, const Table& like) {
  const std::string place = path.string();
  Table table = empty_like(like);
  std::shared_ptr<arrow::Table> arrow_table;
  try {
    arrow_table = read_arrow_table(place);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {  // of Arrow, or no memory for what a hostile file asks
    throw input_error("Parquet: {}", quote_name(error.what())).at(place);
  }
  const std::vector<std::string> names = arrow_table->ColumnNames();
  std::erase_if(table.columns, [&](const Column& column) {
    return column.may_be_absent && std::find(names.begin(), names.end(), column.name) == names.end();
  });
  for (Column& column : table.columns) {
    const auto chunks = arrow_table->GetColumnByName(column.name);
    if (!chunks) throw input_error("no column {}, or two", quote_name(column.name)).at(place);
    try {
      for (const auto& chunk : chunks->chunks()) {
        std::visit([&](auto& values) { append_chunk(*chunk, values); }, column.values);
      }
    } catch (const Error& error) {
      throw error.at(place + ", column " + quote_name(column.name));
    }
  }
  return table;
}

}  // namespace moescope::io

#endif
