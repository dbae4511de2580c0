#include <algorithm>
#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/io/document_source.h"
#include "moescope/io/json_values.h"
#include "moescope/io/quote.h"

namespace moescope::io {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxRecordBytes = std::int64_t{1} << 40;

// The value of "a.b.c": the key of that very name, or else the key "b.c" inside the object "a", and so on.
json* find_field(json& record, const std::string& field) {
  if (!record.is_object()) return nullptr;
  const auto whole = record.find(field);
  if (whole != record.end()) return &*whole;
  for (std::size_t dot = field.find('.'); dot != std::string::npos; dot = field.find('.', dot + 1)) {
    const auto outer = record.find(field.substr(0, dot));
    if (outer == record.end()) continue;
    if (json* found = find_field(*outer, field.substr(dot + 1))) return found;
  }
  return nullptr;
}

std::string keys_of(const json& record) {
  constexpr std::size_t kMaxShown = 8;
  std::string keys;
  std::size_t n = 0;
  for (const auto& [key, value] : record.items()) {
    if (n++ == kMaxShown) return keys + ", ...";
    keys += (keys.empty() ? "" : ", ") + quote_name(key);
  }
  return keys.empty() ? "none" : keys;
}

class JsonSource : public DocumentSource {
 public:
  JsonSource(const SourceContext& context, bool one_a_line) : context_(context) {
    // Escapes take up to six bytes a character of text; the text itself is checked when it is known.
    constexpr std::int64_t kBytesACharacter = 6, kLeastRecordBytes = 6 << 20;
    const std::int64_t limit = std::min(context.options->max_document_bytes, kMaxRecordBytes / kBytesACharacter);
    const std::int64_t max_record_bytes = std::max(kLeastRecordBytes, limit * kBytesACharacter);
    if (one_a_line) {
      lines_.emplace(context.path, max_record_bytes);
    } else {
      values_.emplace(context.path, max_record_bytes);
    }
  }

  std::optional<Document> next() override {
    std::optional<std::string> text = next_record();
    if (!text) return std::nullopt;
    const std::string place = lines_ ? lines_->place() : values_->place();
    const std::int64_t line = lines_ ? lines_->line_number() : values_->line_number();
    try {
      json record = parse_foreign_json(std::move(*text), context_.counts->n_replaced_bytes);
      Document document = make_document(record, fmt::format("{}:{}", context_.id, line));
      check_document_size(document.text.size(), *context_.options, fmt::format("document {}", document.id));
      return document;
    } catch (const Error& error) {
      throw error.at(place);
    }
  }

 private:
  std::optional<std::string> next_record() {
    if (values_) return values_->next();
    while (const std::optional<std::string_view> line = lines_->next()) {
      if (line->find_first_not_of(" \t\r") != std::string_view::npos) return std::string(*line);
    }
    return std::nullopt;
  }

  Document make_document(json& record, std::string id) const {
    if (!record.is_object()) throw input_error("expected an object, found {}", record.type_name());
    const std::string& field = context_.options->text_field;
    json* text = find_field(record, field);
    if (text == nullptr) {
      throw input_error("no field {} (keys: {})", quote_name(field), keys_of(record))
          .hint("name it with option 'text-field'");
    }
    if (!text->is_string() && !text->is_null()) {
      throw input_error("field {} is a {}, expected a string", quote_name(field), text->type_name());
    }
    Document document;
    document.id = std::move(id);
    if (const json* domain = find_field(record, context_.options->domain_field)) {
      if (domain->is_string()) document.domain = domain->get<std::string>();
      if (domain->is_number() || domain->is_boolean()) document.domain = domain->dump();
    }
    if (text->is_string()) document.text = std::move(text->get_ref<std::string&>());
    return document;
  }

  SourceContext context_;
  std::optional<LineReader> lines_;  // one of the two
  std::optional<JsonValueReader> values_;
};

}  // namespace

std::unique_ptr<DocumentSource> open_json_source(const SourceContext& context, bool one_a_line) {
  return std::make_unique<JsonSource>(context, one_a_line);
}

}  // namespace moescope::io
