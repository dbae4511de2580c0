#include "moescope/run/run_json.h"

#include "moescope/base/error.h"

namespace moescope::run {
namespace {

constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxExperts = 65536;
constexpr std::int64_t kMaxAllExperts = 4 << 20;

void check_size(const char* key, std::int64_t value, std::int64_t most) {
  if (value < 1 || value > most) throw input_error("model.{} is {}, expected 1 to {}", key, value, most);
}

void check(const ModelPart& model) {
  check_size("n_layers", model.n_layers, kMaxLayers);
  check_size("n_experts", model.n_experts, kMaxExperts);
  check_size("n_experts_per_token", model.n_experts_per_token, model.n_experts);
  if (model.n_layers * model.n_experts > kMaxAllExperts) {
    throw input_error("{} layers of {} experts are too many", model.n_layers, model.n_experts);
  }
  for (const std::int64_t layer : model.dense_layers) {
    if (layer >= 0 && layer < model.n_layers) continue;
    throw input_error("model.dense_layers names layer {} of {}", layer, model.n_layers);
  }
}

}  // namespace

void add_skipped(std::vector<Skipped>& skipped, const char* what, std::int64_t n, const std::string& why) {
  if (n > 0) skipped.push_back({what, n, why});
}

Head make_head(const std::string& command, const Invocation& invocation, const nlohmann::json& settings,
               const nlohmann::json& identity) {
  Head head;
  head.tool_version = tool_version();
  head.command = command;
  head.command_line = invocation.command_line;
  if (!invocation.date.empty()) head.date = invocation.date;
  head.settings = settings;
  head.identity = identity;
  return head;
}

ModelPart model_of(const nlohmann::json& run, const std::filesystem::path& folder) {
  try {
    const auto found = run.find("model");
    if (found == run.end() || !found->is_object()) throw input_error("no object \"model\"");
    ModelPart model;
    detail::from_object(Json(*found), "model.", model);
    check(model);
    return model;
  } catch (const Error& error) {
    throw error.at((folder / "run.json").string());
  }
}

void require_model(const nlohmann::json& run, const std::filesystem::path& folder, const std::string& model_hash) {
  const ModelPart model = model_of(run, folder);
  if (model.hash == model_hash) return;
  throw input_error("is a run of another model ({})", model.name.empty() ? "unnamed" : model.name).at(folder.string());
}

}  // namespace moescope::run
