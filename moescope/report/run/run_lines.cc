// documents.jsonl, labels.jsonl, label_summary.json.
#include <fmt/format.h>

#include <fstream>
#include <initializer_list>
#include <set>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/report/run/run_files.h"

namespace moescope::report {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Calls body(object, place) for every line that is not blank; `place` is "FILE:LINE". Keys in `without` are not kept.
template <typename Body>
void for_each_json_line(const fs::path& path, const std::set<std::string>& without, const Body& body) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw input_error("cannot be read").at(path.string());
  const auto keep = [&](int depth, json::parse_event_t event, json& parsed) {
    return depth != 1 || event != json::parse_event_t::key || !without.contains(parsed.get_ref<std::string&>());
  };
  std::string line;
  for (std::int64_t n = 1; std::getline(file, line); ++n) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = fmt::format("{}:{}", path.string(), n);
    const json value = json::parse(line, without.empty() ? json::parser_callback_t() : keep, false);
    if (!value.is_object()) throw input_error("not a JSON object").at(place);
    body(value, place);
  }
}

std::int64_t required_integer(const json& object, const char* key, std::int64_t n, const std::string& place) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) throw input_error("no integer \"{}\"", key).at(place);
  const auto value = found->get<std::int64_t>();
  if (value < 0 || value >= n) throw input_error("\"{}\" is {}, expected 0 to {}", key, value, n - 1).at(place);
  return value;
}

std::string text_or_empty(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// The page's script trusts the types of what it gets, so they are checked here; null passes everywhere.
enum class Type { kText, kObject, kNumber, kTruth };

void check_types(const json& object, std::initializer_list<const char*> keys, Type type, const std::string& place) {
  for (const char* key : keys) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) continue;
    const bool right = type == Type::kText     ? found->is_string()
                       : type == Type::kObject ? found->is_object()
                       : type == Type::kNumber ? found->is_number()
                                               : found->is_boolean();
    if (!right) throw input_error("\"{}\" has the wrong type ({})", key, found->type_name()).at(place);
  }
}

void check_objects_of_numbers(const json& label, const char* key, const std::string& place) {
  const auto found = label.find(key);
  if (found == label.end() || found->is_null()) return;
  for (const auto& [name, numbers] : found->items()) {
    if (numbers.is_null()) continue;
    if (!numbers.is_object()) throw input_error("\"{}.{}\" is not an object", key, name).at(place);
    for (const auto& [what, number] : numbers.items()) {
      if (number.is_null() || number.is_number()) continue;
      throw input_error("\"{}.{}.{}\" is not a number", key, name, what).at(place);
    }
  }
}

void check_label(const json& label, const std::string& place) {
  if (text_or_empty(label, "status").empty()) throw input_error("no \"status\"").at(place);
  check_types(label, {"label", "short_label", "explainer", "status"}, Type::kText, place);
  check_types(label, {"rule", "target", "scores", "difference", "promotes"}, Type::kObject, place);
  check_types(label, {"beats_most_frequent_tokens", "beats_random_expert", "beats_both"}, Type::kTruth, place);
  check_types(label, {"random_expert_idx"}, Type::kNumber, place);
  check_objects_of_numbers(label, "scores", place);
  check_objects_of_numbers(label, "difference", place);
}

}  // namespace

void read_documents(ReportedRun& data) {
  if (!data.evidence) return;
  const std::set<std::int32_t> wanted(data.evidence->doc_idx.begin(), data.evidence->doc_idx.end());
  for_each_json_line(data.folder / "documents.jsonl", {"text"}, [&](const json& line, const std::string& place) {
    const auto doc_idx = static_cast<std::int32_t>(required_integer(line, "doc_idx", INT32_MAX, place));
    if (!wanted.contains(doc_idx)) return;
    const bool is_new =
        data.documents.try_emplace(doc_idx, DocumentHead{text_or_empty(line, "id"), text_or_empty(line, "domain")})
            .second;
    if (!is_new) throw input_error("document {} stands here a second time", doc_idx).at(place);
  });
}

void read_labels(ReportedRun& data) {
  data.labels.assign(data.n_all_experts(), nullptr);
  for_each_json_line(data.folder / "labels.jsonl", {}, [&](const json& line, const std::string& place) {
    const std::int64_t layer = required_integer(line, "layer", data.n_layers, place);
    const std::int64_t expert = required_integer(line, "expert", data.n_columns(), place);
    check_label(line, place);
    json& label = data.labels[data.expert_idx(layer, expert)];
    if (!label.is_null()) throw input_error("a second label for layer {}, expert {}", layer, expert).at(place);
    label = line;
  });
}

void read_label_summary(ReportedRun& data) {
  data.label_summary = io::read_json(data.folder / "label_summary.json");
  if (!data.label_summary.is_object()) {
    throw input_error("not a JSON object").at((data.folder / "label_summary.json").string());
  }
}

}  // namespace moescope::report
