#include "moescope/run/probe_files.h"

#include <charconv>

#include "moescope/base/error.h"
#include "moescope/io/quote.h"

namespace moescope::run {
namespace {

namespace fs = std::filesystem;
using Field = std::optional<std::string>;

// A row as published and schema-1 files hold it: words may stand where a number does, and `expert` may be `dense` or
// `shared`.
struct TextRow {
  Field concept_name, layer, expert, k, f1, recall, precision, n_positive, n_negative;
  Field kind, category, status, n_steps;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    const FieldRules ours{.since = 2};
    field("concept", self.concept_name, "");
    field("layer", self.layer, "");
    field("expert", self.expert, "");
    field("k", self.k, "");
    field("f1", self.f1, "");
    field("recall", self.recall, "");
    field("precision", self.precision, "");
    field("num_positive", self.n_positive, "");
    field("num_negative", self.n_negative, "");
    field("kind", self.kind, "", ours);
    field("category", self.category, "", ours);
    field("status", self.status, "", ours);
    field("n_steps", self.n_steps, "", ours);
  }
};

struct TextControlRow {
  Field variant, validation_f1;
  TextRow probe;

  template <typename Self, typename Visitor>
  static void describe(Self& self, Visitor& field) {
    field("variant", self.variant, "");
    TextRow::describe(self.probe, field);
    field("validation_f1", self.validation_f1, "");
  }
};

// What published files hold in the place of a number: probes that were not fitted, a precision without predictions.
bool is_missing(const Field& field) {
  return !field || field->empty() || *field == "Not Enough Samples" || *field == "NaN";
}

template <typename T>
T number(const std::string& text, const char* column) {
  T value{};
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) {
    throw input_error("column '{}': {} is not a number", column, io::quote_name(text));
  }
  return value;
}

// A share in [0, 1], or nothing where it is missing.
std::optional<double> share(const Field& field, const char* column) {
  if (is_missing(field)) return std::nullopt;
  const auto value = number<double>(*field, column);
  if (!(value >= 0 && value <= 1)) throw input_error("column '{}': {} is not in [0, 1]", column, value);
  return value;
}

std::int64_t whole(const Field& field, const char* column, std::int64_t least) {
  if (!field) throw input_error("column '{}' is empty", column);
  const auto value = number<std::int64_t>(*field, column);
  if (value < least || value > std::numeric_limits<std::int32_t>::max()) {
    throw input_error("column '{}': {} is out of range", column, value);
  }
  return value;
}

std::optional<std::int64_t> count(const Field& field, const char* column) {
  return is_missing(field) ? std::nullopt : std::optional(whole(field, column, 0));
}

ProbeRow parse(const TextRow& text) {
  ProbeRow row;
  if (!text.concept_name || text.concept_name->empty()) throw input_error("column 'concept' is empty");
  row.concept_name = *text.concept_name;
  row.layer = whole(text.layer, "layer", 0);
  row.k = whole(text.k, "k", 1);
  if (text.expert == kDense || text.expert == kShared) {  // the words of schema 1
    row.kind = *text.expert;
  } else {
    row.expert = whole(text.expert, "expert", 0);
    row.kind = text.kind.value_or(kRouted);
  }
  row.f1 = share(text.f1, "f1");
  row.recall = share(text.recall, "recall");
  row.precision = share(text.precision, "precision");
  row.n_positive = count(text.n_positive, "num_positive");
  row.n_negative = count(text.n_negative, "num_negative");
  row.category = text.category.value_or("");
  row.status = text.status.value_or("");
  row.n_steps = count(text.n_steps, "n_steps");
  return row;
}

}  // namespace

std::vector<ProbeRow> read_probes(const fs::path& path) {
  std::vector<ProbeRow> rows;
  for_each_row<TextRow>(path, [&](const TextRow& text) { rows.push_back(parse(text)); });
  return rows;
}

std::vector<ProbeControlRow> read_probe_controls(const fs::path& path) {
  std::vector<ProbeControlRow> rows;
  for_each_row<TextControlRow>(path, [&](const TextControlRow& text) {
    if (!text.variant) throw input_error("column 'variant' is empty");
    rows.push_back({*text.variant, parse(text.probe), share(text.validation_f1, "validation_f1")});
  });
  return rows;
}

}  // namespace moescope::run
