#include "moescope/run/label_files.h"

#include <set>

#include "moescope/base/error.h"
#include "moescope/io/file.h"

namespace moescope::run {

namespace fs = std::filesystem;

void write_labels(const fs::path& folder, const std::vector<LabelLine>& lines, const LabelSummary& summary) {
  std::string text;
  for (const LabelLine& line : lines) text += json_line(to_json(line));
  io::write_file_atomically(folder / "labels.jsonl", text);
  io::write_file_atomically(folder / "label_summary.json",
                            to_json(summary).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<LabelLine> read_labels(const fs::path& folder, const ModelPart& model) {
  std::vector<LabelLine> labels;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for_each_line<LabelLine>(folder / "labels.jsonl", {}, [&](LabelLine label) {
    const auto check = [](const char* key, std::int64_t value, std::int64_t n) {
      if (value < 0 || value >= n) throw input_error("\"{}\" is {}, expected 0 to {}", key, value, n - 1);
    };
    check("layer", label.id.layer, model.n_layers);
    if (label.id.kind.empty()) label.id.kind = kind_of(model, label.id.layer, label.id.expert);
    check("expert", label.id.expert, model.n_experts + (label.id.kind == kShared ? 1 : 0));
    if (label.status.empty()) throw input_error("no \"status\"");
    if (!seen.insert({label.id.layer, label.id.expert}).second) {
      throw input_error("a second label for layer {}, expert {}", label.id.layer, label.id.expert);
    }
    labels.push_back(std::move(label));
  });
  return labels;
}

}  // namespace moescope::run
