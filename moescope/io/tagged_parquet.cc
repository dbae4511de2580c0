// Tagged sentences from Parquet: list columns of words and tags, optional columns of texts and document names.
#include "moescope/base/error.h"
#include "moescope/io/tagged_text.h"

#ifndef MOESCOPE_WITH_ARROW

namespace moescope::io {

std::unique_ptr<TaggedReader> open_tagged_parquet(const std::filesystem::path& path, const TaggedOptions&) {
  throw environment_error("this moescope was built without Arrow and reads no Parquet").at(path.string());
}

}  // namespace moescope::io

#else

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/reader.h>

#include "moescope/io/quote.h"
#include "moescope/io/utf8.h"

namespace moescope::io {
namespace {

constexpr std::int64_t kRowsABatch = 1024;

void check(const arrow::Status& status, const std::string& place) {
  if (!status.ok()) throw input_error("cannot read the Parquet file: {}", quote_name(status.message())).at(place);
}

template <typename T>
T value_of(arrow::Result<T> result, const std::string& place) {
  check(result.status(), place);
  return std::move(result).ValueUnsafe();
}

class ParquetTagged : public TaggedReader {
 public:
  ParquetTagged(const std::filesystem::path& path, const TaggedOptions& options)
      : options_(options), place_(path.string()), name_(path.filename().string()) {
    guarded([&] { open(); });
  }

  std::optional<TaggedSentence> next() override {
    while (true) {
      while (!batch_ || row_ == batch_->num_rows()) {
        row_ = 0;
        guarded([&] { check(batches_->ReadNext(&batch_), place_); });
        if (!batch_) return std::nullopt;
      }
      ++n_rows_;
      if (std::optional<TaggedSentence> sentence = make_sentence(row_++)) return sentence;
    }
  }

 private:
  // What Arrow throws, and the lack of memory for what a hostile file asks, as our error.
  template <typename Body>
  void guarded(Body body) {
    try {
      body();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw input_error("cannot read the Parquet file: {}", quote_name(error.what())).at(place_);
    }
  }

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
    require_list(*schema, options_.words_field, "words-field");
    require_list(*schema, options_.tags_field, "tags-field");
    batches_ = value_of(reader_->GetRecordBatchReader(), place_);
  }

  void require_list(const arrow::Schema& schema, const std::string& name, const char* option) const {
    const auto field = schema.GetFieldByName(name);
    if (!field) {
      std::string names;
      for (const std::string& other : schema.field_names()) names += (names.empty() ? "" : ", ") + quote_name(other);
      throw input_error("no column {} (columns: {})", quote_name(name), names)
          .at(place_)
          .hint("name it with " + option_name(option));
    }
    if (!field->type()->Equals(arrow::list(arrow::utf8()), false)) {
      throw input_error("column {} is of type {}, expected a list of strings", quote_name(name),
                        field->type()->ToString())
          .at(place_);
    }
  }

  std::vector<std::string> list_at(const std::string& name, std::int64_t row) {
    const auto& column = static_cast<const arrow::ListArray&>(*batch_->GetColumnByName(name));
    std::vector<std::string> texts;
    if (column.IsNull(row)) return texts;
    const auto& values = static_cast<const arrow::StringArray&>(*column.values());
    for (std::int64_t i = column.value_offset(row); i < column.value_offset(row + 1); ++i) {
      texts.push_back(repair_utf8(values.IsNull(i) ? "" : values.GetString(i), counts_.n_replaced_bytes));
    }
    return texts;
  }

  std::optional<std::string> text_at(const std::string& name, std::int64_t row) {
    const auto column = batch_->GetColumnByName(name);
    if (!column || column->IsNull(row)) return std::nullopt;
    if (column->type_id() != arrow::Type::STRING) {
      throw input_error("column {} is of type {}, expected string", quote_name(name), column->type()->ToString())
          .at(place_);
    }
    return repair_utf8(static_cast<const arrow::StringArray&>(*column).GetString(row), counts_.n_replaced_bytes);
  }

  std::optional<TaggedSentence> make_sentence(std::int64_t row) {
    const std::vector<std::string> words = list_at(options_.words_field, row), tags = list_at(options_.tags_field, row);
    if (words.empty() && tags.empty()) {
      ++counts_.n_empty;
      return std::nullopt;
    }
    std::optional<TaggedSentence> sentence = align_words(words, tags, text_at(options_.text_field, row));
    if (!sentence) {
      ++counts_.n_unaligned;
      return std::nullopt;
    }
    sentence->id = fmt::format("{}:{}", name_, n_rows_);
    sentence->document_id = text_at(options_.document_field, row).value_or(sentence->id);
    ++counts_.n_sentences;
    return sentence;
  }

  TaggedOptions options_;
  std::string place_, name_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  std::int64_t row_ = 0, n_rows_ = 0;
};

}  // namespace

std::unique_ptr<TaggedReader> open_tagged_parquet(const std::filesystem::path& path, const TaggedOptions& options) {
  return std::make_unique<ParquetTagged>(path, options);
}

}  // namespace moescope::io

#endif
