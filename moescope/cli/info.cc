// moescope info: what a checkpoint is, without running it.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "moescope/base/error.h"
#include "moescope/base/progress.h"
#include "moescope/cli/command.h"
#include "moescope/engine/opened_model.h"
#include "moescope/model/weights.h"

namespace moescope::cli {
namespace {

nlohmann::json facts_of(const engine::ModelChoice& choice) {
  const machine::MachineOptions defaults;
  const engine::OpenedModel model = engine::OpenedModel::open(choice, defaults);
  const model::Checkpoint& checkpoint = model.checkpoint();
  const model::ModelConfig& config = model.config();
  nlohmann::json json = {{"model", choice.model},
                         {"folder", model.folder().folder.string()},
                         {"family", config.family},
                         {"dtype", at::toString(checkpoint.stored_dtype())},
                         {"n_layers", config.n_layers},
                         {"n_experts", config.router.n_experts},
                         {"n_experts_per_token", config.router.n_experts_per_token},
                         {"d_model", config.d_model},
                         {"d_expert", config.d_expert},
                         {"d_shared", config.d_shared},
                         {"dense_layers", nlohmann::json::array()},
                         {"d_dense", config.d_dense},
                         {"n_heads", config.attention.n_heads},
                         {"n_kv_heads", config.attention.n_kv_heads},
                         {"d_vocab", config.d_vocab},
                         {"n_ctx", config.n_ctx},
                         {"n_parameters", config.n_parameters()},
                         {"n_active_parameters", config.n_active_parameters()},
                         {"layer_bytes", checkpoint.layer_bytes()},
                         {"unused_tensors", checkpoint.unused_tensors()},
                         {"hash", model.model_hash()}};
  for (std::int64_t l = 0; l < config.n_layers; ++l) {
    if (config.is_dense(l)) json["dense_layers"].push_back(l);
  }
  if (model.has_tokenizer()) json["tokenizer_pieces"] = engine::open_tokenizer(choice).vocab_size();
  return json;
}

void print(const nlohmann::json& json) {
  const auto whole = [&](const char* key) { return with_thousands(json[key].get<std::int64_t>()); };
  fmt::print("model       {} ({}, {})\n", json["model"].get<std::string>(), json["family"].get<std::string>(),
             json["dtype"].get<std::string>());
  fmt::print("folder      {}\n", json["folder"].get<std::string>());
  fmt::print("layers      {}, {} the largest\n", whole("n_layers"),
             format_bytes(json["layer_bytes"].get<std::uint64_t>()));
  if (json["dense_layers"].size() == json["n_layers"].get<std::size_t>()) {
    fmt::print("experts     none: every layer is dense, {} neurons each\n", whole("d_expert"));
  } else {
    fmt::print("experts     {} a layer, {} a token, {} neurons each", whole("n_experts"), whole("n_experts_per_token"),
               whole("d_expert"));
    if (json["d_shared"] != 0) fmt::print("; {} neurons shared by all tokens", whole("d_shared"));
    if (!json["dense_layers"].empty()) {
      fmt::print("; dense layers {} of {} neurons", json["dense_layers"].dump(), whole("d_dense"));
    }
    fmt::print("\n");
  }
  fmt::print("width       {}, {} heads ({} for keys)\n", whole("d_model"), whole("n_heads"), whole("n_kv_heads"));
  fmt::print("vocabulary  {} rows", whole("d_vocab"));
  if (json.contains("tokenizer_pieces")) fmt::print(", tokenizer of {} pieces", whole("tokenizer_pieces"));
  fmt::print("\ncontext     {} tokens\n", whole("n_ctx"));
  fmt::print("parameters  {}, {} used for a token\n", whole("n_parameters"), whole("n_active_parameters"));
  if (const std::size_t n = json["unused_tensors"].size(); n > 0) {
    fmt::print("not used    {} tensors that no forward pass reads, such as {}\n", n,
               json["unused_tensors"].front().get<std::string>());
  }
  fmt::print("hash        {}\n", json["hash"].get<std::string>());
}

class InfoCommand : public Command {
 public:
  void describe(OptionList& list) override {
    choice_.describe(list);
    list.add("json", json_, "print as JSON");
  }
  void run(const Session&) override {
    const nlohmann::json json = facts_of(choice_);
    if (json_) {
      fmt::print("{}\n", json.dump(2));
    } else {
      print(json);
    }
  }

 private:
  engine::ModelChoice choice_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kInfo = {"info", "what a checkpoint is", "Example: moescope info models/tiny-olmoe",
                            make<InfoCommand>};

}  // namespace moescope::cli
