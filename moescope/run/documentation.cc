#include <fmt/format.h>

#include <set>
#include <string>

#include "moescope/run/catalogue.h"

namespace moescope::run {
namespace {

// Text for a cell of a Markdown table.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string field_table(const std::vector<FieldAbout>& fields, const char* what) {
  std::string text = fmt::format("| {} | type | meaning |\n|---|---|---|\n", what);
  for (const FieldAbout& field : fields) {
    std::string meaning = cell(field.meaning);
    if (field.rules.former != nullptr) meaning += fmt::format(" (`{}` in older files)", field.rules.former);
    text += fmt::format("| `{}` | {} | {} |\n", field.name, field.type, meaning);
  }
  return text;
}

std::string tensor_table(const std::vector<TensorAbout>& tensors) {
  std::string text = "| tensor | type | shape | meaning |\n|---|---|---|---|\n";
  for (const TensorAbout& tensor : tensors) {
    text += fmt::format("| `{}` | {} | {} | {} |\n", tensor.name, tensor.type, tensor.shape, cell(tensor.meaning));
  }
  return text;
}

bool is_table(const FileAbout& file) { return file.name.ends_with(".csv") || file.name.ends_with(".parquet"); }

std::string title_of(const FileAbout& file) {
  return file.name + (file.has_parquet ? ", .parquet" : "") + " (" + file.written_by + ")";
}

// The fields of `file` that the same file of an earlier kind has not.
std::vector<FieldAbout> new_fields(const FileAbout& file, std::set<std::string>& known) {
  std::vector<FieldAbout> fields;
  for (const FieldAbout& field : file.fields) {
    if (known.insert(field.name + field.meaning).second) fields.push_back(field);
  }
  return fields;
}

}  // namespace

std::string documentation() {
  std::string text = "| file | written by | what |\n|---|---|---|\n";
  for (const FileAbout& file : all_files()) {
    text += fmt::format("| `{}`{} | {} | {} |\n", file.name, file.has_parquet ? ", `.parquet`" : "", file.written_by,
                        cell(file.what));
  }
  std::set<std::string> known_of_run_json;
  for (const FileAbout& file : all_files()) {
    if (file.fields.empty() && file.tensors.empty()) continue;
    text += fmt::format("\n### {}\n\n", title_of(file));
    const std::vector<FieldAbout> fields = file.name == "run.json" ? new_fields(file, known_of_run_json) : file.fields;
    if (!fields.empty()) text += field_table(fields, is_table(file) ? "column" : "key");
    for (const PartAbout& part : file.parts) {
      text += fmt::format("\n`{}`:\n\n{}", part.name, field_table(part.fields, "key"));
    }
    if (!file.tensors.empty()) text += tensor_table(file.tensors);
  }
  return text;
}

}  // namespace moescope::run
